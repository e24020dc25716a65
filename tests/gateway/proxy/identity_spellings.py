"""Requests that claim to be of another user, in every spelling that a service could believe.

Each value is header lines. MALLORY is what they claim; the service must never receive it.
"""

MALLORY = b"mallory"

_NAMES = (
    b"X-User-Id", b"x-user-id", b"X-USER-ID", b"x-UsEr-iD", b"X-User-Issuer", b"X-User-Scopes",
    b"X-User-Tenant", b"X-User-Service", b"X-User", b"X-User-", b"X-UserId", b"X-Username",
    b"X-User-Name", b"X-User-Email", b"X-User-Roles", b"X-User-Id-", b"X-User-Id2",
    b"X_User_Id", b"x_user_id", b"X_USER_ID", b"X-User_Id", b"X_User-Id", b"HTTP_X_USER_ID",
    b"X.User.Id", b"X-User.Id", b"X!User!Id", b"X~User~Id", b"X+User+Id", b"X*User*Id",
    b"X|User|Id", b"X'User'Id", b"X%2DUser%2DId", b"X^User^Id", b"X`User`Id", b"X#User#Id",
    b"X$User&Id", b"X-User-Id.", b"_X_User_Id", b"X-User-Id_", b".X-User-Id", b"-X_User_Id",
    b"Remote-User", b"Remote_User", b"REMOTE_USER", b"X-Remote-User", b"X-Remote-Groups",
    b"X-Forwarded-User", b"X-Forwarded-Email", b"X-Forwarded-Groups", b"X_Forwarded_User",
    b"X-Forwarded-Preferred-Username", b"X-Forwarded-Access-Token", b"X-Auth-Request-User",
    b"X-Auth-Request-Email", b"X-Auth-Request-Access-Token", b"X_Auth_Request_User",
    b"X-WebAuth-User", b"X-WEBAUTH-ROLE", b"X-Authenticated-User", b"X-Authenticated-Userid",
    b"X-Consumer-ID", b"X-Consumer-Username", b"X-Credential-Identifier", b"X-Anonymous-Consumer",
    b"X-Goog-Authenticated-User-Email", b"X-Goog-IAP-JWT-Assertion", b"X-MS-CLIENT-PRINCIPAL",
    b"X-MS-CLIENT-PRINCIPAL-ID", b"X-Amzn-Oidc-Identity", b"X-Amzn-Oidc-Data",
    b"X-authentik-username", b"X-Pomerium-Jwt-Assertion", b"Cf-Access-Jwt-Assertion",
    b"Cf-Access-Authenticated-User-Email", b"Tailscale-User-Login", b"X-Vouch-User",
    b"X-Forwarded-Client-Cert", b"X-SSL-Client-DN", b"SSL-Client-Cert", b"X-Client-Cert",
    b"Client-Cert", b"X-ARR-ClientCert", b"X-Endpoint-API-UserInfo", b"X-Apigateway-Api-Userinfo",
    b"X-ID-Token", b"X-Userinfo", b"X-Token-Payload", b"Cookie", b"Proxy-Authorization",
)  # fmt: skip

SPELLINGS: dict[str, bytes] = {name.decode(): b"%b: %b" % (name, MALLORY) for name in _NAMES} | {
    "no space": b"X-User-Id:mallory",
    "many spaces": b"X-User-Id:     mallory   ",
    "tab before the value": b"X-User-Id:\tmallory",
    "tab after the value": b"X-User-Id: mallory\t",
    "space before the colon": b"X-User-Id : mallory",
    "tab before the colon": b"X-User-Id\t: mallory",
    "space before the name": b" X-User-Id: mallory",
    "tab before the name": b"\tX-User-Id: mallory",
    "no break space before the colon": b"X-User-Id\xa0: mallory",
    "vertical tab before the colon": b"X-User-Id\x0b: mallory",
    "form feed before the colon": b"X-User-Id\x0c: mallory",
    "NUL in the name": b"X-User\0-Id: mallory",
    "NUL before the value": b"X-User-Id: \0mallory",
    "DEL in the name": b"X-User-\x7fId: mallory",
    "folded value": b"X-User-Id:\r\n mallory",
    "folded value with a tab": b"X-User-Id:\r\n\tmallory",
    "folded into another field": b"X-Other: a\r\n X-User-Id: mallory",
    "folded name": b"X-User\r\n -Id: mallory",
    "line feed alone": b"X-Other: a\nX-User-Id: mallory",
    "carriage return alone": b"X-Other: a\rX-User-Id: mallory",
    "carriage return twice": b"X-Other: a\r\r\nX-User-Id: mallory",
    "line feed, carriage return": b"X-Other: a\n\rX-User-Id: mallory",
    "first line empty": b"\r\nX-User-Id: mallory",
    "no colon": b"X-User-Id mallory",
    "equals sign": b"X-User-Id= mallory",
    "empty name": b": mallory",
    "two colons": b"X-User-Id:: mallory",
    "non-ASCII hyphen": "X\u2010User\u2010Id: mallory".encode(),
    "minus sign": "X\u2212User\u2212Id: mallory".encode(),
    "Latin-1 soft hyphen": b"X\xadUser\xadId: mallory",
    "fullwidth letters": "\uff38-User-Id: mallory".encode(),
    "Cyrillic letter": "\u0425-User-Id: mallory".encode(),
    "dotless i": "X-User-\u0131d: mallory".encode(),
    "long s": "X-U\u017fer-Id: mallory".encode(),
    "Kelvin sign": "X-To\u212aen: mallory".encode(),
    "zero width space": "X-User-\u200bId: mallory".encode(),
    "byte order mark": "\ufeffX-User-Id: mallory".encode(),
    "UTF-8 overlong hyphen": b"X\xc0\xadUser\xc0\xadId: mallory",
    "twice": b"X-User-Id: mallory\r\nX-User-Id: mallory",
    "twice, in two spellings": b"X-User-Id: mallory\r\nx_user_id: mallory",
    "list": b"X-User-Id: 42, mallory",
    "empty and then not": b"X-User-Id:\r\nX-User-Id: mallory",
    "named by Connection": b"Connection: X-User-Id\r\nX-User-Id: mallory",
    "named by a folded Connection": b"Connection: a,\r\n X-User-Id\r\nX-User-Id: mallory",
    "ours named by Connection": b"Connection: x-user-id, x-user-tenant\r\nX-A: mallory",
    "Authorization named by Connection": b"Connection: authorization\r\nX-A: mallory",
    "in a trailer": (
        b"Transfer-Encoding: chunked\r\nTrailer: X-User-Id\r\n\r\n"
        b"0\r\nX-User-Id: mallory\r\n\r\n"
    ),
    "in a chunk extension": (
        b"Transfer-Encoding: chunked\r\n\r\n1;X-User-Id=mallory\r\na\r\n0\r\n\r\n"
    ),
    "in a second head": b"X-A: a\r\n\r\nX-User-Id: mallory",
}  # fmt: skip

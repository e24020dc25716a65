"""The modulus of an RSA key with the ROCA weakness."""

# The product of two primes of the form k * M + (65537 ** a mod M), where M is the product of the
# first 126 primes.
ROCA_MODULUS = (
    "sx8jA91xMgIPQrzvTaD5bHCwpCXIoC46oJUF5b5zlYLbYmIPHSpvWJlTwf1lTE-BHnVrWqtvhiJxsgiMOZ9XofPYL5Dy"
    "WUEI0-0306Nsf4X_Y7H02hJqYWvpkSRENKVbg7F2Sc5oPhvhm62MKe07EuoDR0NxHqVFmpu-SRmwVyl48jU1F2-Mcwmh"
    "fuvM5GFUvWpq30P92CAzky59rhTxXKuvciTWbT5JHzr__eU1gjI9U5VRR371mXfvw2wob_2RLFZA9VSLL7BlXFxAFyf3"
    "-Yl8ygcZBlWD4qRUkLHrAp8WxVxwOLHJ984pP-_QYb2JkUQtZX61608kFhOzcn1ELQ"
)

"""Where the people of the demo live, and what people are called there."""

from dataclasses import dataclass

from gateway.demo.random_draws import Draw

# Left out of postcodes where letters are used: those that Britain and the Netherlands leave out.
_POSTCODE_LETTERS = "ABDEFGHJLNPQRTUWXYZ"


@dataclass(frozen=True, slots=True)
class Country:
    """A country: ISO 3166 code, locale (BCP 47), names, and its cities with their postcodes.

    In a postcode `#` stands for a digit and `@` for a letter.
    """

    code: str
    locale: str
    given_names: tuple[str, ...]
    family_names: tuple[str, ...]
    cities: tuple[tuple[str, str], ...]


def postcode(pattern: str, draw: Draw) -> str:
    """A postcode of that pattern."""
    fill = {"#": "0123456789", "@": _POSTCODE_LETTERS}
    return "".join(draw.pick(fill[sign]) if sign in fill else sign for sign in pattern)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = (
    Country(
        "DE",
        "de-DE",
        _words("Anna Jonas Leonie Felix Marie Lukas Johanna Paul Sophie Jürgen Käthe Moritz"),
        _words("Schmidt Weber Becker Hoffmann Schäfer Koch Richter Krüger Vogel Lorenz Groß"),
        (("Berlin", "101##"), ("Hamburg", "203##"), ("München", "803##"), ("Leipzig", "041##")),
    ),
    Country(
        "FR",
        "fr-FR",
        _words("Camille Hugo Léa Louis Chloé Théo Manon Jules Inès Gabriel Élodie Mathieu"),
        _words("Martin Bernard Dubois Moreau Lefèvre Girard Fournier Mercier Rousseau Gauthier"),
        (("Paris", "750##"), ("Lyon", "6900#"), ("Nantes", "4400#"), ("Toulouse", "3100#")),
    ),
    Country(
        "ES",
        "es-ES",
        _words("Lucía Mateo Sofía Pablo Carmen Javier Elena Íñigo Marta Álvaro Nuria Andrés"),
        _words("García Fernández López Sánchez Romero Navarro Ortega Núñez Iglesias Vidal"),
        (("Madrid", "280##"), ("Valencia", "460##"), ("Sevilla", "410##"), ("Bilbao", "480##")),
    ),
    Country(
        "GB",
        "en-GB",
        _words("Olivia George Isla Harry Amelia Oscar Freya Arthur Grace Callum Nia Rhys"),
        _words("Taylor Davies Evans Walker Wright Hughes Clarke Fraser Bennett Morgan Okafor"),
        (("Manchester", "M1 #@@"), ("Leeds", "LS1 #@@"), ("Cardiff", "CF10 #@@")),
    ),
    Country(
        "NL",
        "nl-NL",
        _words("Sanne Daan Lotte Bram Fleur Sem Anouk Thijs Noor Jeroen Maaike Ruben"),
        _words("Jansen Bakker Visser Smit Meijer Mulder Bos Vos Dekker Hendriks Kuiper"),
        (("Amsterdam", "101# @@"), ("Utrecht", "351# @@"), ("Rotterdam", "301# @@")),
    ),
    Country(
        "PL",
        "pl-PL",
        _words("Zofia Jakub Hanna Szymon Małgorzata Wojciech Ola Paweł Kasia Michał Łucja"),
        _words("Nowak Wójcik Mazur Krawczyk Zając Kaczmarek Wieczorek Król Sikora Duda"),
        (("Warszawa", "00-0##"), ("Kraków", "31-0##"), ("Gdańsk", "80-8##")),
    ),
    Country(
        "SE",
        "sv-SE",
        _words("Elsa Oskar Maja Axel Astrid Nils Saga Gustav Linnéa Björn Ebba Sören"),
        _words("Andersson Lindqvist Nyström Bergman Sjöberg Holm Åkesson Lundgren Ekström"),
        (("Stockholm", "111 ##"), ("Göteborg", "411 ##"), ("Malmö", "211 ##")),
    ),
    Country(
        "JP",
        "ja-JP",
        _words("Haruto Yui Sota Aoi Ren Hina Kaito Sakura Yuma Mio Daiki Akari"),
        _words("Sato Suzuki Takahashi Tanaka Ito Yamamoto Nakamura Kobayashi Mori Ishikawa"),
        (("Tokyo", "150-00##"), ("Osaka", "530-00##"), ("Sapporo", "060-00##")),
    ),
    Country(
        "BR",
        "pt-BR",
        _words("Ana João Beatriz Rafael Júlia Thiago Larissa Bruno Letícia Caio Vitória"),
        _words("Silva Souza Oliveira Pereira Araújo Carvalho Gonçalves Ribeiro Teixeira"),
        (("São Paulo", "013##-0##"), ("Curitiba", "800##-0##"), ("Recife", "500##-0##")),
    ),
    Country(
        "US",
        "en-US",
        _words("Emma Liam Ava Noah Maya Ethan Zoe Mason Naomi Diego Hannah Malik"),
        _words("Johnson Miller Rivera Anderson Nguyen Thompson Patel Campbell Kim Sullivan"),
        (("Portland", "972##"), ("Austin", "787##"), ("Chicago", "606##"), ("Boston", "021##")),
    ),
)

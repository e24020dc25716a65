"""The countries of the demo's customers: names, cities and postcodes."""

from dataclasses import dataclass

from gateway.demo.seeded_random import SeededRandom

# Britain and the Netherlands leave some letters out of their postcodes.
_POSTCODE_LETTERS = "ABDEFGHJLNPQRTUWXYZ"


@dataclass(frozen=True, slots=True)
class Country:
    """A country: its ISO 3166 code, locale (BCP 47), names, and cities with postcode patterns.

    In a pattern `#` stands for a digit and `@` for a letter.
    """

    code: str
    locale: str
    given_names: tuple[str, ...]
    family_names: tuple[str, ...]
    cities: tuple[tuple[str, str], ...]


def draw_postcode(pattern: str, rng: SeededRandom) -> str:
    """Draw a random postcode that matches `pattern`."""
    choices = {"#": "0123456789", "@": _POSTCODE_LETTERS}
    return "".join(rng.choice(choices[char]) if char in choices else char for char in pattern)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = (
    Country(
        "DE",
        "de-DE",
        _split("Anna Jonas Leonie Felix Marie Lukas Johanna Paul Sophie Jürgen Käthe Moritz"),
        _split("Schmidt Weber Becker Hoffmann Schäfer Koch Richter Krüger Vogel Lorenz Groß"),
        (("Berlin", "101##"), ("Hamburg", "203##"), ("München", "803##"), ("Leipzig", "041##")),
    ),
    Country(
        "FR",
        "fr-FR",
        _split("Camille Hugo Léa Louis Chloé Théo Manon Jules Inès Gabriel Élodie Mathieu"),
        _split("Martin Bernard Dubois Moreau Lefèvre Girard Fournier Mercier Rousseau Gauthier"),
        (("Paris", "750##"), ("Lyon", "6900#"), ("Nantes", "4400#"), ("Toulouse", "3100#")),
    ),
    Country(
        "ES",
        "es-ES",
        _split("Lucía Mateo Sofía Pablo Carmen Javier Elena Íñigo Marta Álvaro Nuria Andrés"),
        _split("García Fernández López Sánchez Romero Navarro Ortega Núñez Iglesias Vidal"),
        (("Madrid", "280##"), ("Valencia", "460##"), ("Sevilla", "410##"), ("Bilbao", "480##")),
    ),
    Country(
        "GB",
        "en-GB",
        _split("Olivia George Isla Harry Amelia Oscar Freya Arthur Grace Callum Nia Rhys"),
        _split("Taylor Davies Evans Walker Wright Hughes Clarke Fraser Bennett Morgan Okafor"),
        (("Manchester", "M1 #@@"), ("Leeds", "LS1 #@@"), ("Cardiff", "CF10 #@@")),
    ),
    Country(
        "NL",
        "nl-NL",
        _split("Sanne Daan Lotte Bram Fleur Sem Anouk Thijs Noor Jeroen Maaike Ruben"),
        _split("Jansen Bakker Visser Smit Meijer Mulder Bos Vos Dekker Hendriks Kuiper"),
        (("Amsterdam", "101# @@"), ("Utrecht", "351# @@"), ("Rotterdam", "301# @@")),
    ),
    Country(
        "PL",
        "pl-PL",
        _split("Zofia Jakub Hanna Szymon Małgorzata Wojciech Ola Paweł Kasia Michał Łucja"),
        _split("Nowak Wójcik Mazur Krawczyk Zając Kaczmarek Wieczorek Król Sikora Duda"),
        (("Warszawa", "00-0##"), ("Kraków", "31-0##"), ("Gdańsk", "80-8##")),
    ),
    Country(
        "SE",
        "sv-SE",
        _split("Elsa Oskar Maja Axel Astrid Nils Saga Gustav Linnéa Björn Ebba Sören"),
        _split("Andersson Lindqvist Nyström Bergman Sjöberg Holm Åkesson Lundgren Ekström"),
        (("Stockholm", "111 ##"), ("Göteborg", "411 ##"), ("Malmö", "211 ##")),
    ),
    Country(
        "JP",
        "ja-JP",
        _split("Haruto Yui Sota Aoi Ren Hina Kaito Sakura Yuma Mio Daiki Akari"),
        _split("Sato Suzuki Takahashi Tanaka Ito Yamamoto Nakamura Kobayashi Mori Ishikawa"),
        (("Tokyo", "150-00##"), ("Osaka", "530-00##"), ("Sapporo", "060-00##")),
    ),
    Country(
        "BR",
        "pt-BR",
        _split("Ana João Beatriz Rafael Júlia Thiago Larissa Bruno Letícia Caio Vitória"),
        _split("Silva Souza Oliveira Pereira Araújo Carvalho Gonçalves Ribeiro Teixeira"),
        (("São Paulo", "013##-0##"), ("Curitiba", "800##-0##"), ("Recife", "500##-0##")),
    ),
    Country(
        "US",
        "en-US",
        _split("Emma Liam Ava Noah Maya Ethan Zoe Mason Naomi Diego Hannah Malik"),
        _split("Johnson Miller Rivera Anderson Nguyen Thompson Patel Campbell Kim Sullivan"),
        (("Portland", "972##"), ("Austin", "787##"), ("Chicago", "606##"), ("Boston", "021##")),
    ),
)

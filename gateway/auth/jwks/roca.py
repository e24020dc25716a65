"""Recognizes RSA keys of the ROCA weakness (CVE-2017-15361), whose private key can be computed.

The primes of such a key are `k * M + (65537 ** a mod M)`, where M is the product of the first
primes. So the modulus is a power of 65537 modulo each of these primes. That holds for another key
with a probability below 2 ** -27.
"""

# Modulo the other primes up to 167, every number is a power of 65537.
_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_GENERATOR = 65_537


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether the modulus of an RSA key has the form of the weak keys."""
    return all(modulus % prime in powers for prime, powers in _POWERS)


def _list_powers(prime: int) -> frozenset[int]:
    powers, power = set[int](), 1
    while power not in powers:
        powers.add(power)
        power = power * _GENERATOR % prime
    return frozenset(powers)


_POWERS = tuple((prime, _list_powers(prime)) for prime in _PRIMES)

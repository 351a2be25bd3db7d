"""How a law says that it does not hold. A plain ``assert`` is removed by ``python -O``."""


def holds(claim: object, law: str) -> None:
    """Nothing, if the claim is true.

    Raises:
        AssertionError: Names the law that does not hold.
    """
    if not claim:
        raise AssertionError(f"law broken: {law}")

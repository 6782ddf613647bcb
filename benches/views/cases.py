"""What is compared: each case says how Étude and how its peers are told to do the same."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the parameters of a case depend on."""
    rate: int
    low: float = 0     # the range that a case draws from
    high: float = 0
    sounds: str = ""   # a WAV file that is mixed in or convolved with


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    etude: object      # Setting -> the operator's name, its parameters
    peers: dict        # library -> (its module, Setting) -> what the library is called through
    check: str         # how agree.py compares
    span: tuple = (0, 0)   # what is drawn from while it is timed
    fixed: float = 0       # the one value when outputs are compared
    side: str = ""         # the port that sounds come through
    kind: str = "augmentation"
    of_features: bool = False   # whether it takes log-mel bands instead of samples

    def setting(self, rate, sounds, fixed=False):
        # torch-audiomentations wants a range that is not empty.
        low, high = (self.fixed, self.fixed + 1e-3) if fixed and self.span != (0, 0) else self.span
        return Setting(rate, low, high, sounds)


def every():
    """All cases, by kind."""
    import augmentations
    import clmr
    import features
    return {"augmentation": augmentations.CASES, "feature": features.CASES, "chain": clmr.CASES}


def find(kind, name):
    return next(case for case in every()[kind] if case.name == name)

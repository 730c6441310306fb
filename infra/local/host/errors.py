"""The one error that ends a start."""


class StartError(Exception):
    """The host cannot run this app. The first line says why; what follows, if anything, is the app's own stack."""

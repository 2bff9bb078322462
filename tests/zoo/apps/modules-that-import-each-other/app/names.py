from register import PREFIX


def christened(name):
    return f"{PREFIX} {name}"

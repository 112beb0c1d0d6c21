class Container:
    name = "podman, docker"
    def available(self):
        return "not there"

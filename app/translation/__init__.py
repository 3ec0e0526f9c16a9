"""Translation of lines: the protocol, the engines that speak to services, and the checks of what they answer."""

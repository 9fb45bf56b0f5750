package check

// service checks what is for all sections.
func (c checker) service() {
	for _, path := range c.host.Unreadable() {
		c.add(Failed, "env", "", path+" can't be read, for which a variable stands", "check the path; Fluent Bit does not start without it")
	}
	s := &c.host.Service
	if daemon := c.host.Last(s, "daemon"); on(daemon) {
		c.add(Failed, "service", s.At.String(), "daemon is on: the plugin refuses to run in the background", "leave that to the service manager")
	}
	if on(c.host.Last(s, "storage.checksum")) {
		c.add(Warning, "service", s.At.String(), "storage.checksum is on: a kill loses every chunk that is being written", "leave it out")
	}
}

package simulator

import (
	"fmt"
	"maps"
	"slices"
)

// Credentials returns the credentials in force.
func (s *Server) Credentials() Credentials { return s.keys.get() }

// SetCredentials puts other credentials in force at once; requests signed with
// those before are refused. It returns an error for ones that cannot sign.
func (s *Server) SetCredentials(c Credentials) error { return s.keys.set(c) }

// ExpireCredentials lets the access key die: what is signed with it gets 418
// until SetCredentials is called.
func (s *Server) ExpireCredentials() { s.keys.expire() }

// Client returns the credentials of API 2.0 in force.
func (s *Server) Client() Client { return s.issuer.get() }

// SetClient puts other credentials of API 2.0 in force. Bearer tokens given out
// before stay good until they end. It returns an error when one is empty.
func (s *Server) SetClient(c Client) error { return s.issuer.set(c) }

// ExpireTokens ends every bearer token given out so far.
func (s *Server) ExpireTokens() { s.issuer.expire() }

// Forbid replaces what gets 403. From both APIs: logs of [Logs], by name or path.
// From API 2.0: types of events, and [PathEvents] or [PathEventsCI] for calls for all
// types of it. Calls for all types leave out the types among them.
func (s *Server) Forbid(what ...string) {
	what = slices.Clone(what)
	s.refused.Store(&what)
}

// Remove replaces the paths that get 404, such as [PathArchiveSearch] where a
// customer has the older one only.
func (s *Server) Remove(paths ...string) {
	paths = slices.Clone(paths)
	s.absent.Store(&paths)
}

// SetLinkHost puts another host, with its port, into links from now on. Without it
// they have the host that the page was asked of.
func (s *Server) SetLinkHost(host string) { s.linkHost.Store(&host) }

// ExpirePages makes every page token given out so far stale: it is refused.
func (s *Server) ExpirePages() { s.epoch.Add(1) }

// SetFaults replaces the plan of transient faults; the zero Plan ends it. Only
// answers that would have been right are hit: a refusal stays what it is.
// It returns an error for a rate outside [0, 1] or a fault there is not.
func (s *Server) SetFaults(p Plan) error {
	if !(p.Rate >= 0 && p.Rate <= 1) {
		return fmt.Errorf("simulator: %v is no share of answers", p.Rate)
	}
	for _, f := range p.Faults {
		if !f.known() {
			return fmt.Errorf("simulator: unknown fault %q", f)
		}
	}
	p.Faults = slices.Clone(p.Faults)
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.plan, s.faults.dice = p, newDice(p.Seed, streamNoise)
	return nil
}

// Next spoils the next right answers, one fault each, before any plan does. A
// fault that does not fit an answer (one of archives, when there is nothing new)
// lets the faults behind it go first and waits; [Server.PendingFaults] tells.
func (s *Server) Next(faults ...Fault) { s.NextAt("", faults...) }

// NextAt is [Server.Next] for answers of one endpoint, such as [PathSIEM].
func (s *Server) NextAt(path string, faults ...Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	for _, f := range faults {
		s.faults.queued = append(s.faults.queued, queuedFault{path, f})
	}
}

// PendingFaults returns how many faults given to Next have hit nothing yet.
func (s *Server) PendingFaults() int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return len(s.faults.queued)
}

// Requests returns the counts so far; the caller owns them.
func (s *Server) Requests() Requests {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	r := s.counts.requests
	r.Outcomes = make(map[string]map[Outcome]int, len(s.counts.requests.Outcomes))
	for path, outcomes := range s.counts.requests.Outcomes {
		r.Outcomes[path] = maps.Clone(outcomes)
	}
	r.Events = maps.Clone(r.Events)
	return r
}

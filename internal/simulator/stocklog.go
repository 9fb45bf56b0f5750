package simulator

import (
	"fmt"
	"slices"
	"time"
)

// LogEvents says what [Server.AddLogEvents] adds. A number N of the fields that end
// in Every concerns every Nth of the events, from the Nth on; zero concerns none.
type LogEvents struct {
	Start     time.Time // time of the first event
	PerSecond int       // events of one second; at least 1

	// TwinEvery are equal to the event before, in its second: to the byte in a log
	// without ids, but for the id in others.
	TwinEvery int

	// LateEvery are found only LateBy after their time; the others from their time
	// on, so that one in the future turns up by itself.
	LateEvery int
	LateBy    time.Duration

	// UndatedEvery have no time, in message_release.
	UndatedEvery int

	// RevisedEvery have the id of the event before, and come a second after it, in
	// threat_intel.
	RevisedEvery int

	// Feed is the feed of the events of threat_intel, malware_customer or
	// malware_grid; empty for both in turn.
	Feed string
}

// AddLogEvents adds n events to a log of [Logs], and returns an error for a log or
// feed there is not, or for what events of the log can't be.
func (s *Server) AddLogEvents(name string, n int, how LogEvents) error {
	l := logByName(name)
	if l == nil {
		return fmt.Errorf("simulator: unknown log %q", name)
	}
	feed := slices.Index(l.feeds, how.Feed)
	switch {
	case how.Feed != "" && feed < 0:
		return fmt.Errorf("simulator: the log %s has no feed %q", name, how.Feed)
	case how.UndatedEvery > 0 && !l.undated:
		return fmt.Errorf("simulator: every event of the log %s has a time", name)
	case how.RevisedEvery > 0 && l.feeds == nil:
		return fmt.Errorf("simulator: events of the log %s are never revised", name)
	}
	start, perSecond := how.Start.Truncate(time.Second).Unix(), int64(max(1, how.PerSecond))
	s.events[name].add(n, func(i int, number int64, before event) event {
		nth := func(every int) bool { return every > 0 && i > 0 && (i+1)%every == 0 }
		e := event{
			second: start + int64(i)/perSecond, number: number, like: number, named: number,
			undated: nth(how.UndatedEvery),
		}
		if l.feeds != nil {
			e.feed = uint8(i % len(l.feeds))
		}
		if feed >= 0 {
			e.feed = uint8(feed)
		}
		switch {
		case nth(how.TwinEvery):
			e.second, e.like, e.feed, e.undated = before.second, before.like, before.feed, before.undated
		case nth(how.RevisedEvery):
			e.second, e.like, e.named, e.feed = before.second+1, before.like, before.named, before.feed
		}
		e.visible = e.second * int64(time.Second)
		if nth(how.LateEvery) {
			e.visible += int64(how.LateBy)
		}
		return e
	})
	return nil
}

// AddEvents adds n impersonation events from start on, so many per second (at
// least one). Each is found from its eventTime on: one in the future turns up by
// itself.
func (s *Server) AddEvents(n int, start time.Time, perSecond int) {
	_ = s.AddLogEvents(logImpersonation, n, LogEvents{Start: start, PerSecond: perSecond}) // there is such a log
}

// AddLateEvents adds n impersonation events of one eventTime that are found only from
// visibleAt on, by the service's clock.
func (s *Server) AddLateEvents(n int, eventTime, visibleAt time.Time) {
	s.events[logImpersonation].add(n, func(_ int, number int64, _ event) event {
		return event{second: eventTime.Unix(), visible: visibleAt.UnixNano(), number: number, like: number, named: number}
	})
}

package position

import "time"

// Paged is where a log is that is served in pages.
type Paged struct {
	Newest   time.Time `json:"newest"`    // time of the newest event delivered; zero before the first
	LastPoll time.Time `json:"last_poll"` // end of the last complete poll, or last event of a later one that was not
	// Windows reports whether the log is read in windows of time, one after the
	// other, of which LastPoll is the end of the last.
	Windows bool `json:"windows,omitempty"`
}

// IsZero reports whether there is no position yet.
func (p Paged) IsZero() bool { return p.LastPoll.IsZero() && p.Newest.IsZero() }

// From returns where the next poll starts, in whole seconds: overlap before the
// older of the newest event and the last complete poll, or before the end of the
// last window. There has to be a position.
func (p Paged) From(overlap time.Duration) time.Time {
	from := p.LastPoll
	if p.Windows {
		return from.Add(-overlap).Truncate(time.Second)
	}
	if from.IsZero() || (!p.Newest.IsZero() && p.Newest.Before(from)) {
		from = p.Newest
	}
	return from.Add(-overlap).Truncate(time.Second)
}

func (pos Paged) words() []string {
	var lines []string
	if !pos.LastPoll.IsZero() {
		lines = append(lines, "the last poll that was completed reached "+moment(pos.LastPoll))
	}
	if pos.Newest.IsZero() {
		return append(lines, "no event has been delivered yet")
	}
	return append(lines, "the newest event delivered is of "+moment(pos.Newest))
}

package position

import "time"

// Paged is where a log is that is served in pages.
type Paged struct {
	Newest   time.Time `json:"newest"`    // time of the newest event delivered; zero before the first
	LastPoll time.Time `json:"last_poll"` // end of the last complete poll, or last event of a later one that was not
	// Read is when the last poll was made, of a log that is read in windows of time,
	// one after the other. LastPoll is the end of the last window then. Zero for other
	// logs.
	Read time.Time `json:"read,omitzero"`
}

// IsZero reports whether there is no position yet.
func (p Paged) IsZero() bool { return p.LastPoll.IsZero() && p.Newest.IsZero() }

// From returns where the next poll starts, in whole seconds: overlap before the
// older of the newest event and the last complete poll. There has to be a position.
//
// After a window it is the window's end, or overlap before it was read if that is
// earlier: an event that turns up within overlap after its time is there by then.
func (p Paged) From(overlap time.Duration) time.Time {
	from := p.LastPoll
	if !p.Read.IsZero() {
		if late := p.Read.Add(-overlap); late.Before(from) {
			from = late
		}
		return from.Truncate(time.Second)
	}
	if from.IsZero() || (!p.Newest.IsZero() && p.Newest.Before(from)) {
		from = p.Newest
	}
	return from.Add(-overlap).Truncate(time.Second)
}

// FromNewest returns where the next poll starts if the end of the last window can't be
// trusted: overlap before the newest event, or at none if there was no event.
func (p Paged) FromNewest(overlap time.Duration, none time.Time) time.Time {
	if p.Newest.IsZero() {
		return none.Truncate(time.Second)
	}
	return p.Newest.Add(-overlap).Truncate(time.Second)
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

package collector

import "time"

const (
	// promptBlocks are those of a process that ask at once when they start, and just
	// at their poll_interval.
	promptBlocks = 4
	// startSpacing is between the first requests of the blocks after these.
	startSpacing = 200 * time.Millisecond
	// startLatest bounds how late a block starts.
	startLatest = time.Minute
)

// pace is how a block keeps from asking at the same moments as the others of its
// process. The zero value is that of a block alone.
type pace struct {
	late    time.Duration // before the first request
	stretch float64       // by what part of it each interval is longer
}

// newPace returns that of a block before which so many were there. random returns
// numbers from 0 up to 1.
func newPace(before int, random func() float64) pace {
	if before < promptBlocks {
		return pace{}
	}
	late := time.Duration((float64(before-promptBlocks) + random()) * float64(startSpacing))
	if late > startLatest {
		late = time.Duration(random() * float64(startLatest))
	}
	return pace{late: late, stretch: random() / 10}
}

// of returns the interval to wait for in place of d.
func (p pace) of(d time.Duration) time.Duration {
	return d + time.Duration(p.stretch*float64(d))
}

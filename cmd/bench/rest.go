package main

import (
	"context"
	"fmt"
	"time"

	"fluent-bit-mimecast/internal/harness"
)

// stopping is how much longer a clean stop takes under full load.
func (b *bench) stopping() error {
	f, err := makeFixture("json")
	if err != nil {
		return err
	}
	var busy, idle []float64
	for range b.rounds {
		for _, batches := range []int{0, 1 << 20} {
			s, err := startService(f.archives, batches)
			if err != nil {
				return err
			}
			took, err := b.stopped(s)
			s.close()
			if err != nil {
				return err
			}
			if batches == 0 {
				idle = append(idle, took.Seconds())
			} else {
				busy = append(busy, took.Seconds())
			}
		}
	}
	row("a clean stop under full load; idle", fmt.Sprintf("%.2f s", median(busy)), fmt.Sprintf("%.2f s", median(idle)), fmt.Sprintf("%+.2f s", median(busy)-median(idle)))
	return nil
}

func (b *bench) stopped(s *service) (time.Duration, error) {
	h, err := b.host(s, "logs", "siem")
	if err != nil {
		return 0, err
	}
	p, err := h.Start(context.Background())
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	time.Sleep(5 * time.Second)
	return stop(p)
}

// idle is what it takes to poll every minute with nothing new, beside an in_tail
// that waits.
func (b *bench) idle(d time.Duration) error {
	s, err := startService(nil, 0)
	if err != nil {
		return err
	}
	defer s.close()
	ours, err := b.host(s)
	if err != nil {
		return err
	}
	dir, err := b.folder()
	if err != nil {
		return err
	}
	theirs := harness.Host{FluentBit: b.fluentBit, Dir: dir, Pipeline: fmt.Sprintf("    - name: tail\n      path: %q\n", dir+"/*.log") + toNull}
	var cpu [2]time.Duration
	var resident [2]int
	var hosts [2]*harness.Process
	for i, h := range []harness.Host{ours, theirs} {
		if hosts[i], err = h.Start(context.Background()); err != nil {
			return err
		}
		defer hosts[i].Kill()
	}
	time.Sleep(5 * time.Second) // the start is not idle
	for i, p := range hosts {
		if cpu[i], err = cpuOf(p.PID()); err != nil {
			return err
		}
	}
	time.Sleep(d)
	for i, p := range hosts {
		now, err := cpuOf(p.PID())
		if err != nil {
			return err
		}
		held, err := p.Holds()
		if err != nil {
			return err
		}
		cpu[i], resident[i] = now-cpu[i], held.Resident
	}
	minute := func(i int) float64 { return micros(cpu[i]) / 1000 / d.Minutes() }
	row(fmt.Sprintf("idle, CPU a minute (%d polls); in_tail", s.polls.Load()), fmt.Sprintf("%.0f ms", minute(0)), fmt.Sprintf("%.0f ms", minute(1)), "")
	row("idle, resident; in_tail", megabytes(resident[0]), megabytes(resident[1]), "")
	return nil
}

// ids compares the cost of a record with many delivered ids in the checkpoint
// to that with none.
func (b *bench) ids(records int64) error {
	return nil
}

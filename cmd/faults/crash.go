package main

import (
	"errors"
	"fmt"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// never is a flush interval in which no output is tried: what is in chunks
// stays there to be counted.
const never = "86400"

// killed kills the host at random moments while batches stream at full speed.
// After each kill the chunks are counted and taken away.
func (s *suite) killed() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Service = map[string]string{"flush": never}
	r.host.Inputs = []harness.Input{r.input("logs", "siem")}
	return r.killing(s.kills, time.Second)
}

// killing does it, each time up to so long after the first record.
func (r *rig) killing(kills int, limit time.Duration) (result, error) {
	var tally harness.Tally
	unconfirmed, worst := 0, 0
	for range kills {
		if r.ctx.Err() != nil {
			return result{}, r.ctx.Err()
		}
		r.add(250)
		asked := r.service.Requests().Total
		if err := r.start(); err != nil {
			return result{}, err
		}
		if err := r.await("a request", 20*time.Second, func() (bool, error) { return r.service.Requests().Total > asked, nil }); err != nil {
			return result{}, err
		}
		time.Sleep(600 * time.Millisecond) // the first callback is to come
		r.sleep(limit)
		r.kill()
		if err := tally.TakeChunks(r.host.Storage()); err != nil {
			return result{}, err
		}
		confirmed, err := r.service.Confirmed(r.db(), recordsPerBatch)
		if err != nil {
			return result{}, err
		}
		open := tally.Different() - confirmed
		if open < 0 {
			return result{}, fmt.Errorf("%d records were confirmed and only %d are in chunks", confirmed, tally.Different())
		}
		unconfirmed += open
		worst = max(worst, open)
	}
	r.host.Pipeline, r.host.Service = "", map[string]string{"flush": never}
	if err := r.start(); err != nil {
		return result{}, err
	}
	if err := r.idle(10 * time.Minute); err != nil {
		return result{}, err
	}
	time.Sleep(2 * time.Second) // a callback, and the main thread's work
	r.kill()
	if err := tally.TakeChunks(r.host.Storage()); err != nil {
		return result{}, err
	}
	a := tally.Account(r.service.Expected())
	out := result{account: a, repeats: true, note: fmt.Sprintf("%d kills; unconfirmed when killed: %d in all, %d at most", kills, unconfirmed, worst)}
	if a.Twice > unconfirmed {
		return out, errors.New("more came twice than was unconfirmed")
	}
	return out, nil
}

// idle waits until the service has said that there is nothing new.
func (r *rig) idle(limit time.Duration) error {
	nothing := r.service.Requests().Count(simulator.PathSIEM, simulator.OutcomeIdle)
	return r.await("nothing new", limit, func() (bool, error) {
		return r.service.Requests().Count(simulator.PathSIEM, simulator.OutcomeIdle) > nothing+1, nil
	})
}

// holdUp is a filter that keeps the main thread busy for a second now and then,
// between its counting and its storing of an append.
const holdUp = `  filters:
    - name: lua
      match: "*"
      call: hold
      code: |
        n = 0
        function hold(tag, ts, record)
          n = n + 1
          if n % 6000 == 0 then os.execute("sleep 1") end
          return 0, ts, record
        end
`

const noLua = "this Fluent Bit has no Lua"

const noOutput = "  outputs:\n    - {name: \"null\", match: \"*\"}\n"

// stalled kills the host while its main thread is held up.
func (s *suite) stalled() (result, error) {
	if !s.fluentBit.Lua {
		return result{skipped: noLua}, nil
	}
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Service = map[string]string{"flush": never}
	r.host.Inputs = []harness.Input{r.input("logs", "siem")}
	r.host.Pipeline = holdUp + noOutput
	return r.killing(s.stalls, 4*time.Second)
}

// stopped stops and starts the host at random moments.
func (s *suite) stopped() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	for range s.stops {
		r.add(40)
		r.service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		if err := r.start(); err != nil {
			return result{}, err
		}
		time.Sleep(500 * time.Millisecond)
		r.sleep(1500 * time.Millisecond)
		if err := r.stop(); err != nil {
			return result{}, err
		}
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.finish(2 * time.Minute)
	return result{account: a, note: fmt.Sprintf("%d stops", s.stops)}, err
}

package faults

import (
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
func (s *suite) killed() result {
	r := s.rig(simulator.Config{})
	r.Host.Service = map[string]string{"flush": never}
	r.Host.Inputs = []harness.Input{r.Input("logs", "siem")}
	return r.killing(*kills, time.Second)
}

// killing does it, each time up to so long after the first record.
func (r *rig) killing(kills int, limit time.Duration) result {
	unconfirmed, worst := 0, 0
	for range kills {
		r.add(250)
		asked := r.Service.Requests().Total
		r.Start()
		r.Await("a request", func() bool { return r.Service.Requests().Total > asked })
		time.Sleep(600 * time.Millisecond) // the first callback is to come
		r.sleep(limit)
		r.Kill()
		open := r.Unconfirmed(recordsPerBatch)
		unconfirmed += open
		worst = max(worst, open)
	}
	r.Host.Pipeline, r.Host.Service = "", map[string]string{"flush": never}
	r.Start()
	r.idle()
	time.Sleep(2 * time.Second) // a callback, and the main thread's work
	r.Kill()
	r.TakeChunks()
	return result{
		account: r.Account(), repeats: unconfirmed,
		note: fmt.Sprintf("%d kills; unconfirmed when killed: %d in all, %d at most", kills, unconfirmed, worst),
	}
}

// idle waits until the service has said that there is nothing new.
func (r *rig) idle() {
	nothing := r.Service.Requests().Count(simulator.PathSIEM, simulator.OutcomeIdle)
	r.Await("nothing new", func() bool {
		return r.Service.Requests().Count(simulator.PathSIEM, simulator.OutcomeIdle) > nothing+1
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
func (s *suite) stalled() result {
	if !s.fluentBit.Lua {
		s.skip(noLua)
	}
	r := s.rig(simulator.Config{})
	r.Host.Service = map[string]string{"flush": never}
	r.Host.Inputs = []harness.Input{r.Input("logs", "siem")}
	r.Host.Pipeline = holdUp + noOutput
	return r.killing(*stalls, 4*time.Second)
}

// stopped stops and starts the host at random moments.
func (s *suite) stopped() result {
	r := s.rig(simulator.Config{})
	r.Service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	for range *stops {
		r.add(40)
		r.Service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		r.Start()
		time.Sleep(500 * time.Millisecond)
		r.sleep(1500 * time.Millisecond)
		r.Stop()
	}
	r.Start()
	return result{account: r.finish(), note: fmt.Sprintf("%d stops", *stops)}
}

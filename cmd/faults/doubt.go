package main

import (
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// dropSome is an input processor that drops a type of records, so that the host
// counts fewer than it was handed.
const dropSome = `      processors:
        logs:
          - name: lua
            call: some
            code: |
              function some(tag, ts, record)
                if record["log_type"] == "iep" then return -1, 0, 0 end
                return 0, ts, record
              end
`

// routeSome sends a type of records elsewhere; the host then counts every record
// twice.
const routeSome = `      routes:
        logs:
          - name: some
            condition:
              rules:
                - {field: "$log_type", op: eq, value: iep}
            to: {outputs: [elsewhere]}
          - name: rest
            condition: {default: true}
            to: {outputs: [here]}
`

func (s *suite) processed() (result, error) {
	if !s.fluentBit.Lua {
		return result{skipped: noLua}, nil
	}
	return s.doubted(func(r *rig) { r.host.Processors = dropSome })
}

func (s *suite) routed() (result, error) {
	if v := s.fluentBit.Version; !v.RoutesByCondition() {
		return result{skipped: v.String() + " knows no conditional routes, or ignores those of a plugin"}, nil
	}
	return s.doubted(func(r *rig) {
		r.host.Processors = routeSome
		r.host.Pipeline = fmt.Sprintf(`  outputs:
    - {name: file, alias: here, match: none, path: %q, file: %q, format: plain}
    - {name: "null", alias: elsewhere, match: none}
`, r.host.Dir, filepath.Base(r.host.Output()))
	})
}

// dropSIEM is an input processor that drops all records of a log.
const dropSIEM = `      processors:
        logs:
          - {name: grep, exclude: log_source ^siem$}
`

// droppedAll runs a host that counts nothing of a log: all of it is collected all
// the same, and so is the other log.
func (s *suite) droppedAll() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.add(40) // more than is handed over without a count
	r.service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	r.host.Processors = dropSIEM
	if err := r.start(); err != nil {
		return result{}, err
	}
	var a harness.Account
	err = r.idle(4 * time.Minute)
	if err == nil {
		err = r.logged("count of records can't be used", 2*time.Minute)
	}
	if err == nil {
		err = r.await("the other log", time.Minute, func() (bool, error) {
			a, err = harness.TallyFile(notSIEM(r), r.host.Output())
			return a.Lost == 0, err
		})
	}
	if err != nil {
		return result{account: a}, err
	}
	return result{account: a, note: "the log goes on"}, r.stop()
}

func notSIEM(r *rig) iter.Seq[string] {
	return func(yield func(string) bool) {
		for record := range r.service.Expected() {
			if !strings.Contains(record, `"log_source":"siem"`) && !yield(record) {
				return
			}
		}
	}
}

// doubted runs a host whose count of records does not agree with what it is
// handed: that is noticed and said once, and all other records still come once,
// across a restart too.
func (s *suite) doubted(prepare func(*rig)) (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.add(20)
	r.host.Inputs = []harness.Input{r.input("logs", "siem")}
	prepare(r)
	if err := r.start(); err != nil {
		return result{}, err
	}
	var a harness.Account
	err = r.await("what is kept", time.Minute, func() (bool, error) {
		time.Sleep(500 * time.Millisecond)
		var err error
		a, err = harness.TallyFile(kept(r.service.Expected()), r.host.Output())
		return a.Lost == 0, err
	})
	if err == nil {
		err = r.logged("count of records can't be used", 40*time.Second)
	}
	if err != nil {
		return result{account: a}, err
	}
	if n := strings.Count(r.host.Log(), "count of records can't be used"); n != 1 {
		return result{account: a}, fmt.Errorf("it was said %d times", n)
	}
	time.Sleep(12 * time.Second) // past the time by which records count as safe
	for range 2 {
		if err := r.stop(); err != nil {
			return result{}, err
		}
		if err := r.start(); err != nil {
			return result{}, err
		}
		time.Sleep(3 * time.Second)
	}
	if err := r.stop(); err != nil {
		return result{}, err
	}
	a, err = harness.TallyFile(kept(r.service.Expected()), r.host.Output())
	return result{account: a, note: "noticed, said once"}, err
}

// kept are the records that are not dropped or sent elsewhere.
func kept(records iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for record := range records {
			if !strings.Contains(record, `"log_type":"iep"`) && !yield(record) {
				return
			}
		}
	}
}

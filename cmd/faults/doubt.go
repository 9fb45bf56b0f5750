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
	return s.doubted(func(r *rig) { r.host.Processors = dropSome })
}

func (s *suite) routed() (result, error) {
	return s.doubted(func(r *rig) {
		r.host.Processors = routeSome
		r.host.Pipeline = fmt.Sprintf(`  outputs:
    - {name: file, alias: here, match: none, path: %q, file: %q, format: plain}
    - {name: "null", alias: elsewhere, match: none}
`, r.host.Dir, filepath.Base(r.host.Output()))
	})
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
		err = r.logged("count of records can't confirm", 0, 40*time.Second)
	}
	if err != nil {
		return result{account: a}, err
	}
	if n := strings.Count(r.host.Log(), "count of records can't confirm"); n != 1 {
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

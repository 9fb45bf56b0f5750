package faults

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

func (s *suite) processed() result {
	if !s.fluentBit.Lua {
		s.skip(noLua)
	}
	return s.doubted(func(r *rig) { r.Host.Processors = dropSome })
}

func (s *suite) routed() result {
	if v := s.fluentBit.Version; !v.RoutesByCondition() {
		s.skip(v.String() + " knows no conditional routes, or ignores those of a plugin")
	}
	return s.doubted(func(r *rig) {
		r.Host.Processors = routeSome
		r.Host.Pipeline = fmt.Sprintf(`  outputs:
    - {name: file, alias: here, match: none, path: %q, file: %q, format: plain}
    - {name: "null", alias: elsewhere, match: none}
`, r.Host.Dir, filepath.Base(r.Host.Output()))
	})
}

// dropSIEM is an input processor that drops all records of a log.
const dropSIEM = `      processors:
        logs:
          - {name: grep, exclude: log_source ^siem$}
`

// droppedAll runs a host that counts nothing of a log: all of it is collected all
// the same, and so is the other log.
func (s *suite) droppedAll() result {
	r := s.rig(simulator.Config{})
	r.add(40) // more than is handed over without a count
	r.Service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	r.Host.Processors = dropSIEM
	r.Start()
	r.idle()
	r.Logged("count of records can't be used")
	r.Expected = r.without(`"log_source":"siem"`)
	return result{account: r.finish(), note: "the log goes on"}
}

// doubted runs a host whose count of records does not agree with what it is
// handed: that is noticed and said once, and all other records still come once,
// across a restart too.
func (s *suite) doubted(prepare func(*rig)) result {
	r := s.rig(simulator.Config{})
	r.add(20)
	r.Host.Inputs = []harness.Input{r.Input("logs", "siem")}
	prepare(r)
	r.Start()
	r.Expected = r.without(`"log_type":"iep"`)
	r.All()
	r.Logged("count of records can't be used")
	if n := strings.Count(r.Host.Log(), "count of records can't be used"); n != 1 {
		r.T.Errorf("it was said %d times", n)
	}
	time.Sleep(12 * time.Second) // past the time by which records count as safe
	for range 2 {
		r.Stop()
		r.Start()
		time.Sleep(3 * time.Second)
	}
	r.Stop()
	return result{account: r.Account(), note: "noticed, said once"}
}

// without returns the records that are neither dropped nor sent elsewhere.
func (r *rig) without(text string) func() iter.Seq[string] {
	return func() iter.Seq[string] {
		return func(yield func(string) bool) {
			for record := range r.Service.Expected() {
				if !strings.Contains(record, text) && !yield(record) {
					return
				}
			}
		}
	}
}

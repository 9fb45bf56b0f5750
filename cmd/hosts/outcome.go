package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fluent-bit-mimecast/internal/harness"
)

const header = `| Fluent Bit | end-to-end tests | fault cases | records served | lost | twice after a kill | twice otherwise |
|---|---|---|---|---|---|---|`

// outcome is what became of some tests or cases.
type outcome struct {
	passed, skipped int
	failed          []string // their names

	served, lost                  int // records
	twiceAfterKill, twiceUnwanted int
}

func (o outcome) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", o.passed, len(o.failed), o.skipped)
}

func row(version harness.Version, tests, cases outcome) string {
	return fmt.Sprintf("| %s | %s | %s | %d | %d | %d | %d |", strings.TrimPrefix(version.String(), "v"), tests, cases,
		cases.served, cases.lost, cases.twiceAfterKill, cases.twiceUnwanted)
}

// readTests reads what go test -json prints. Of tests with subtests only the latter are
// counted, and a package that failed without a test of it.
func readTests(in io.Reader) (o outcome, err error) {
	ended := map[string]string{}
	for decoder := json.NewDecoder(in); ; {
		var event struct{ Action, Test string }
		switch err := decoder.Decode(&event); {
		case errors.Is(err, io.EOF):
			return count(ended), nil
		case err != nil:
			return o, fmt.Errorf("go test -json: %w", err)
		}
		switch event.Action {
		case "pass", "fail", "skip":
			ended[event.Test] = event.Action
		}
	}
}

func count(ended map[string]string) (o outcome) {
	parents := map[string]bool{}
	for name := range ended {
		for i := range len(name) {
			if name[i] == '/' {
				parents[name[:i]] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ended)) {
		switch action := ended[name]; {
		case name == "" || parents[name]:
			// What its subtests are, unless it fails beside them.
			if action == "fail" && name != "" && !failsWithin(name, ended) {
				o.failed = append(o.failed, name)
			}
		case action == "pass":
			o.passed++
		case action == "skip":
			o.skipped++
		default:
			o.failed = append(o.failed, name)
		}
	}
	return o
}

func failsWithin(parent string, ended map[string]string) bool {
	for name, action := range ended {
		if action == "fail" && strings.HasPrefix(name, parent+"/") {
			return true
		}
	}
	return false
}

// readFaults reads the table that the fault suite prints.
func readFaults(in io.Reader) (o outcome, err error) {
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			return o, lines.Err()
		}
		cells := strings.Split(strings.Trim(lines.Text(), "|"), "|")
		if len(cells) < 6 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		served, err := strconv.Atoi(cells[1])
		if err != nil {
			continue // the head of the table
		}
		lost, errLost := strconv.Atoi(cells[3])
		twice, errTwice := strconv.Atoi(cells[4])
		if err := errors.Join(errLost, errTwice); err != nil {
			return o, fmt.Errorf("the case %q: %w", cells[0], err)
		}
		o.add(cells[0], cells[5], served, lost, twice)
	}
}

func (o *outcome) add(name, verdict string, served, lost, twice int) {
	o.served += served
	o.lost += lost
	if strings.Contains(name, "kill") {
		o.twiceAfterKill += twice
	} else {
		o.twiceUnwanted += twice
	}
	switch {
	case strings.HasPrefix(verdict, "ok"):
		o.passed++
	case strings.HasPrefix(verdict, "SKIPPED"):
		o.skipped++
	default:
		o.failed = append(o.failed, name+": "+verdict)
	}
}

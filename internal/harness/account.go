package harness

import (
	"bufio"
	"fmt"
	"iter"
	"os"
	"strings"

	"fluent-bit-mimecast/internal/simulator"
)

// Account says what became of the records that a service served.
type Account struct {
	Served   int // different records
	Received int // records that came out of the host, all told
	Lost     int // served and never received
	Twice    int // received once more than they should
	Foreign  int // received but never served
	Unparsed int // records of bytes that could not be read

	// Samples of what is wrong, for messages.
	FirstLost, FirstForeign string
}

// String returns the account in one line.
func (a Account) String() string {
	return fmt.Sprintf("served %d, received %d, lost %d, twice %d", a.Served, a.Received, a.Lost, a.Twice)
}

// Clean says whether every record came exactly once and nothing else did.
func (a Account) Clean() bool {
	return a.Lost == 0 && a.Twice == 0 && a.Foreign == 0 && a.Unparsed == 0
}

// Tally compares a file of JSON lines with the canonical records that should be
// in it. A file that does not exist is empty; a last line without its end is
// not counted.
func Tally(expected iter.Seq[string], path string) (Account, error) {
	var a Account
	want := map[string]int{}
	for record := range expected {
		if want[record] == 0 {
			a.Served++
		}
		want[record]++
	}
	seen, err := readRecords(path)
	if err != nil {
		return a, err
	}
	for record, n := range seen {
		a.Received += n
		switch due := want[record]; {
		case due > 0:
			a.Twice += max(n-due, 0)
		case isUnparsed(record):
			a.Unparsed += n
		default:
			a.Foreign += n
			a.FirstForeign = record
		}
	}
	for record, due := range want {
		if n := seen[record]; n < due {
			a.Lost += due - n
			a.FirstLost = record
		}
	}
	return a, nil
}

func readRecords(path string) (map[string]int, error) {
	seen := map[string]int{}
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return seen, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return nil, fmt.Errorf("%s: a line of more than 1 MiB", path)
		}
		if err != nil {
			return seen, nil
		}
		record, err := simulator.Canonical(line)
		if err != nil {
			return nil, fmt.Errorf("%s: not a record: %w: %.200s", path, err, line)
		}
		seen[record]++
	}
}

func isUnparsed(record string) bool {
	return strings.Contains(record, `"log_type":"unparsed"`)
}

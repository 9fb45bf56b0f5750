package harness

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"fluent-bit-mimecast/internal/simulator"
)

// Account says what became of the records that a service served.
type Account struct {
	Served   int // records, equal ones as often as there are
	Received int // records that came out of the host, all told
	Lost     int // served and never received
	Twice    int // received once more than they should
	Foreign  int // received but never served
	Unparsed int // records of bytes that could not be read
	Notices  int // records of the plugin's own

	FirstLost string // one that was lost, for messages
}

// String returns the account in one line.
func (a Account) String() string {
	return fmt.Sprintf("served %d, received %d, lost %d, twice %d", a.Served, a.Received, a.Lost, a.Twice)
}

// Clean says whether every record came exactly once and nothing else did.
func (a Account) Clean() bool {
	return a.Lost == 0 && a.Twice == 0 && a.Foreign == 0 && a.Unparsed == 0
}

// Tally counts records by their whole content, in little memory each.
type Tally struct {
	// IDKey is a field with an id: of the records with one id the first alone is
	// counted, without that field. Empty: all are.
	IDKey string

	ids      map[string]bool
	dropped  int
	seen     map[digest]int32
	read     map[string]int64 // bytes of each file that were counted
	received int
	unparsed int
	notices  int
}

type digest [16]byte

func digestOf(canonical string) (d digest) {
	sum := sha256.Sum256([]byte(canonical))
	copy(d[:], sum[:])
	return d
}

// Add counts a record, spelled as any JSON.
func (t *Tally) Add(record []byte) error {
	if t.IDKey != "" {
		rest, known, err := t.withoutID(record)
		if err != nil || known {
			return err
		}
		record = rest
	}
	canonical, err := simulator.Canonical(record)
	if err != nil {
		return fmt.Errorf("not a record: %w: %.200s", err, record)
	}
	if t.seen == nil {
		t.seen = map[digest]int32{}
	}
	t.received++
	if strings.Contains(canonical, `"log_type":"unparsed"`) {
		t.unparsed++
		return nil
	}
	if strings.Contains(canonical, `"log_source":"mimecast","log_type":"notice"`) {
		t.notices++
		return nil
	}
	t.seen[digestOf(canonical)]++
	return nil
}

// withoutID returns a record without its id, and whether that came before.
func (t *Tally) withoutID(record []byte) (rest []byte, known bool, err error) {
	var fields map[string]json.RawMessage
	var id string
	if err := json.Unmarshal(record, &fields); err != nil {
		return nil, false, fmt.Errorf("not a record: %w: %.200s", err, record)
	}
	if err := json.Unmarshal(fields[t.IDKey], &id); err != nil {
		return nil, false, fmt.Errorf("no id %s: %w: %.200s", t.IDKey, err, record)
	}
	if t.ids == nil {
		t.ids = map[string]bool{}
	}
	if t.ids[id] {
		t.dropped++
		return nil, true, nil
	}
	t.ids[id] = true
	delete(fields, t.IDKey)
	rest, err = json.Marshal(fields)
	return rest, false, err
}

// Dropped is how many records were not counted, since their ids were known.
func (t *Tally) Dropped() int { return t.dropped }

// AddFile counts the records in a file of JSON lines that were not counted by an
// earlier call. A file that does not exist is empty; a last line without its end
// is not counted yet.
func (t *Tally) AddFile(path string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(t.read[path], io.SeekStart); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if t.read == nil {
		t.read = map[string]int64{}
	}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return fmt.Errorf("%s: a line of more than 1 MiB", path)
		}
		if err != nil {
			return nil
		}
		if err := t.Add(line); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		t.read[path] += int64(len(line))
	}
}

// Received is how many records were counted.
func (t *Tally) Received() int { return t.received }

// Different is how many different ones.
func (t *Tally) Different() int { return len(t.seen) }

// Account compares what was counted with the canonical records that should
// have come.
func (t *Tally) Account(expected iter.Seq[string]) Account {
	a := Account{Received: t.received, Unparsed: t.unparsed, Notices: t.notices}
	due := map[digest]int32{}
	for record := range expected {
		d := digestOf(record)
		a.Served++
		if due[d]++; due[d] > t.seen[d] {
			a.Lost++
			a.FirstLost = record
		}
	}
	for d, n := range t.seen {
		switch want := due[d]; {
		case want == 0:
			a.Foreign += int(n)
		case n > want:
			a.Twice += int(n - want)
		}
	}
	return a
}

// TallyFile compares a file of JSON lines with the records that should be in it.
func TallyFile(expected iter.Seq[string], path string) (Account, error) {
	var t Tally
	if err := t.AddFile(path); err != nil {
		return Account{}, err
	}
	return t.Account(expected), nil
}

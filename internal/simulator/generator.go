package simulator

import (
	"slices"
	"time"
)

// The values of fileFormat.
const (
	formatJSON     = "json"
	formatKeyValue = "key_value"
)

// generator makes the synthetic records of a server. Immutable; every method may
// be called concurrently.
type generator struct {
	seed  uint64
	types []logType
}

func newGenerator(seed uint64, names []string) generator {
	g := generator{seed: seed}
	for _, name := range names {
		g.types = append(g.types, *logTypeByName(name))
	}
	return g
}

// record returns record i of a batch, with its fields in dst's memory, and how
// JSON spells it. The record is of type i modulo the number of types, and shares
// a mail with the records before and after it.
func (g generator) record(dst []member, b *batch, i int) ([]member, spelling) {
	kind := g.types[i%len(g.types)]
	m := newMail(g.seed, uint64(b.number), uint64(i/len(g.types)))
	l := line{dice: newDice(g.seed, streamRecord, uint64(b.number), uint64(i)), fields: dst[:0]}
	how := spelling{ascii: l.oneIn(4), slash: l.oneIn(4)}
	l.moment(b.at.Add(batchSpan/time.Duration(b.records)*time.Duration(i) - batchSpan))
	if kind.aCode {
		l.text("aCode", m.aCode)
	}
	l.text("acc", account)
	kind.write(&l, m)
	return l.fields, how
}

// recordBytes is about what a record takes in a file.
const recordBytes = 512

// appendFile appends the content of one log file of b in the given format.
func (g generator) appendFile(dst []byte, b *batch, f logFile, format string) []byte {
	if f.raw != nil {
		if format == formatJSON {
			return append(dst, f.raw.JSON...)
		}
		return append(dst, f.raw.KeyValue...)
	}
	dst = slices.Grow(dst, recordBytes*(b.records/len(g.types)+1))
	var fields []member
	var how spelling
	if format == formatKeyValue {
		for i := f.of; i < b.records; i += len(g.types) {
			fields, _ = g.record(fields, b, i)
			dst = appendKeyValue(dst, fields)
		}
		return dst
	}
	dst = append(dst, `{"type":"MTA","data":[`...)
	for i := f.of; i < b.records; i += len(g.types) {
		fields, how = g.record(fields, b, i)
		dst = appendComma(dst, i-f.of)
		dst = appendJSON(dst, objectOf(fields...), how)
	}
	return append(dst, "]}"...)
}

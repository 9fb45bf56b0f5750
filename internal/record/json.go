package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// JSONDecoder splits a JSON log file into records: one object around a list of
// records, {"type":"MTA","data":[{…},{…}]}, as the service sends; a bare list,
// records one after the other, and several of all these are taken too.
//
// The objects in a list are records. A null in a list or between values stands
// for no record and is passed over. Any other element is a [Damage] of one
// record.
//
// An object outside a list goes around one if its member data is
//   - a list with an object in it;
//   - any other list, or null, and "type":"MTA" is a member too;
//   - null, or a list of nothing but nulls, and none of the fields of a SIEM
//     record is a member: datetime, eventTime, aCode, acc;
//   - any other list, an object meta is a member too, and none of those fields.
//
// Every other object is a record, with all its members, and so is every object outside
// a list if [Origin.Bare] says so. The order of members
// makes no difference.
//
// The members beside data, such as type and meta, tell of the list or of the
// answer that it came in and are passed over, but for a list that is not empty,
// as fail may be, and for one more data that is no list. Either is a [Damage] of
// one record, with the member's name.
//
// A value that is first in its line, in no list and no object around one, and that
// can't be read, is a [Damage] of one record too: see [brokenLines] for where it
// ends. Any other that can't be read is a [Damage] of all that is left.
type JSONDecoder struct {
	window
	encoder jsonEncoder
	source  []byte
	state   jsonState
	inside  bool  // the list is inside an object
	noData  int64 // no key data begins between pos and this offset in the file
	line    int64 // the offset in the file of the last line known to begin
	first   int64 // and of what is first in it, besides white space
}

type jsonState int

const (
	betweenValues jsonState = iota // a record, a list, an object around one, or the end
	firstElement                   // an element or the end of the list
	nextElement                    // an element
	afterElement                   // a comma or the end of the list
	nextMember                     // a member of the object around a list
	afterMember                    // a comma or the end of that object
)

// Reset makes the decoder ready for another log file.
func (d *JSONDecoder) Reset(r io.Reader, o Origin) {
	d.view(r)
	d.encoder.reset(o)
	d.source, d.state, d.inside, d.noData = nil, betweenValues, false, 0
	d.line, d.first = 0, 0
}

// Source implements Decoder.
func (d *JSONDecoder) Source() []byte { return d.source }

// Object appends one JSON object, given whole, as a record. After an error dst
// comes back as it was.
func (d *JSONDecoder) Object(dst []byte, o Origin, object []byte) ([]byte, error) {
	d.encoder.reset(o)
	i := skipSpace(object, 0)
	if i == len(object) || object[i] != '{' {
		return dst, errors.New("not a JSON object")
	}
	out, end, err := d.encoder.record(dst, object, i)
	switch {
	case err != nil:
		return dst, err
	case skipSpace(object, end) != len(object):
		return dst, errSyntax
	case len(object) > MaxRecord:
		return dst, errLong
	}
	return out, nil
}

const (
	notObject  = "a list element that is no object"
	besideList = "a list beside the list of records"
	notList    = "data that is no list of records"
)

// Next implements Decoder.
func (d *JSONDecoder) Next(dst []byte) ([]byte, error) {
	for {
		out, done, err := d.step(dst, d.ahead())
		switch {
		case err == errShort && d.fill():
			continue
		case err == errShort && d.state == betweenValues && d.pos == len(d.buf) && (d.err == io.EOF):
			return dst, io.EOF
		case err == nil && done:
			return out, nil
		case err == nil:
			continue
		}
		var one *Damage
		if errors.As(err, &one) {
			return dst, err
		}
		reason := err.Error()
		if d.state == betweenValues && d.at() == d.first {
			end, err := d.broken(err)
			switch {
			case err == errShort && d.fill():
				continue
			case err == nil:
				return dst, d.oneRecord(end, reason)
			}
		}
		return dst, d.damage(reason)
	}
}

// broken returns where the value at pos ends, which is first in its line and which
// why says can't be read. errShort says that this is not in view; another error,
// that all that is left is damaged.
func (d *JSONDecoder) broken(why error) (int, error) {
	b := d.ahead()
	full := len(b)-d.pos == MaxRecord+slack
	if why != errSyntax && (why != errShort || full) {
		return 0, why // over a bound
	}
	end, found := brokenLines(b[d.pos:], int(d.first-d.line))
	switch {
	case !found && !full:
		return 0, errShort
	case !found || end > MaxRecord:
		return 0, why
	}
	return d.pos + end, nil
}

// brokenLines returns where the value at the start of b ends, which can't be read
// and is first in its line: with that line, or with a later one if the next does
// not begin with a brace or a bracket as far left as the value, which is indent
// bytes. So a value over several lines is taken whole, and what a line that is cut
// short runs on into is not. It returns false if b has no such line after it.
func brokenLines(b []byte, indent int) (end int, found bool) {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return 0, false
		}
		at += n + 1
		i := at
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		if i < len(b) && i-at <= indent && (b[i] == '{' || b[i] == '[') {
			return len(bytes.TrimRight(b[:at], " \t\r\n")), true
		}
	}
}

// step goes on by one token of the structure around records, or by one record
// (done). It moves pos only over what is dealt with.
func (d *JSONDecoder) step(dst, b []byte) (out []byte, done bool, err error) {
	i := d.pos
	if d.offset == 0 && i == 0 && len(b) < len(bom) && d.err == nil {
		return dst, false, errShort
	}
	if d.offset == 0 && i == 0 && string(b[:min(len(bom), len(b))]) == bom {
		i = len(bom)
		d.line, d.first = int64(i), int64(i)
	}
	if j := skipSpace(b, i); j != i || j == len(b) {
		if d.state == betweenValues {
			d.lineOf(b, i, j)
		}
		d.pos = j // b reaches further from there
		return dst, false, shortOr(j == len(b))
	}
	d.pos = i
	switch c := b[i]; d.state {
	case betweenValues:
		return d.value(dst, b, c)
	case firstElement, nextElement, afterElement:
		return d.element(dst, b, c)
	default:
		return dst, false, d.member(b, c)
	}
}

// lineOf notes what line j is in and whether it is first in it, after the white
// space from i on.
func (d *JSONDecoder) lineOf(b []byte, i, j int) {
	n := bytes.LastIndexByte(b[i:j], '\n')
	if n >= 0 {
		d.line = d.offset + int64(i+n+1)
	}
	if n >= 0 || d.first == d.offset+int64(i) {
		d.first = d.offset + int64(j)
	}
}

func shortOr(short bool) error {
	if short {
		return errShort
	}
	return nil
}

func (d *JSONDecoder) value(dst, b []byte, c byte) ([]byte, bool, error) {
	switch c {
	case '[':
		d.pos++
		d.state, d.inside = firstElement, false
		return dst, false, nil
	case 'n':
		return dst, false, d.null(b)
	case '{':
		if d.encoder.origin.Bare {
			return d.record(dst, b)
		}
		around, err := d.around(b)
		if err != nil {
			return dst, false, err
		}
		if around {
			d.pos++
			d.state = nextMember
			return dst, false, nil
		}
		return d.record(dst, b)
	}
	return dst, false, errSyntax
}

func (d *JSONDecoder) element(dst, b []byte, c byte) ([]byte, bool, error) {
	switch {
	case c == ']' && d.state != nextElement:
		d.pos++
		d.state = betweenValues
		if d.inside {
			d.state = afterMember
		}
		return dst, false, nil
	case d.state == afterElement && c != ',':
		return dst, false, errSyntax
	case d.state == afterElement:
		d.pos++
		d.state = nextElement
		return dst, false, nil
	case c == '{':
		out, done, err := d.record(dst, b)
		if err == nil || isOneRecord(err) {
			d.state = afterElement
		}
		return out, done, err
	case c == 'n':
		err := d.null(b)
		if err == nil {
			d.state = afterElement
		}
		return dst, false, err
	}
	end, err := skipValue(b, d.pos)
	if err != nil {
		return dst, false, err
	}
	d.state = afterElement
	return dst, false, d.oneRecord(end, notObject)
}

// null passes over the null at pos. What only begins like one is left alone.
func (d *JSONDecoder) null(b []byte) error {
	end, err := skipWord(b, d.pos, "null")
	switch {
	case err != nil:
		return err
	case end == len(b) && d.err == nil:
		return errShort
	case end < len(b) && strings.IndexByte(" \t\r\n,:\"[]{}", b[end]) < 0:
		return errSyntax
	}
	d.pos = end
	return nil
}

// record encodes the object at pos.
func (d *JSONDecoder) record(dst, b []byte) ([]byte, bool, error) {
	out, end, err := d.encoder.record(dst, b, d.pos)
	switch err {
	case nil:
		if d.tooLong(end) {
			return dst, false, errLong
		}
		d.source = d.buf[d.pos:end]
		d.pos = end
		return out, true, nil
	case errDepth, errFields, errEncoded:
		end, skipErr := skipValue(b, d.pos)
		if skipErr != nil {
			return dst, false, skipErr
		}
		return dst, false, d.oneRecord(end, err.Error())
	}
	return dst, false, err
}

// oneRecord steps over a record that can't be read.
func (d *JSONDecoder) oneRecord(end int, reason string) error {
	if d.tooLong(end) {
		return errLong
	}
	err := &Damage{Offset: d.at(), Reason: reason, OneRecord: true}
	d.source = d.buf[d.pos:end]
	d.pos = end
	return err
}

func isOneRecord(err error) bool {
	var d *Damage
	return errors.As(err, &d) && d.OneRecord
}

// member goes on by one token of the object around a list: a member, or its
// start if it is the list, or what comes after a member.
func (d *JSONDecoder) member(b []byte, c byte) error {
	if d.state == afterMember {
		switch c {
		case '}':
			d.state = betweenValues
		case ',':
			d.state = nextMember
		default:
			return errSyntax
		}
		d.pos++
		return nil
	}
	key, value, err := memberStart(b, d.pos)
	if err != nil {
		return err
	}
	isData := string(key) == dataKey
	if isData && value < len(b) && b[value] == '[' {
		d.pos = value + 1
		d.state, d.inside = firstElement, true
		return nil
	}
	end, err := skipValue(b, value)
	switch {
	case err != nil:
		return err
	case d.tooLong(end):
		return errLong
	}
	d.state = afterMember
	if isData && b[value] != 'n' {
		return d.oneRecord(end, notList)
	}
	if b[value] == '[' {
		if has, _, _ := look(b, value); has != nothing {
			return d.oneRecord(end, besideList)
		}
	}
	d.pos = end
	return nil
}

const dataKey = "data"

// around reports whether the object at pos goes around a list. One without the
// text "data" does not. Looking for that is much faster than looking at the
// members, and a file may be records without a list.
func (d *JSONDecoder) around(b []byte) (bool, error) {
	from := max(int(d.noData-d.offset), d.pos)
	i := bytes.Index(b[from:], []byte(`"`+dataKey+`"`))
	if i < 0 {
		d.noData = d.offset + int64(max(from, len(b)-len(dataKey)-1))
		return false, nil
	}
	d.noData = d.offset + int64(from+i)
	return goesAround(b, d.pos)
}

// goesAround reports whether the object at i goes around a list. It looks no
// further than it has to.
func goesAround(b []byte, i int) (bool, error) {
	var m members
	i++
	for n := 0; ; n++ {
		at, end, err := memberAt(b, i, n)
		switch {
		case err == errFields:
			return false, nil // the record's reader says so
		case err != nil:
			return false, err
		case end:
			return m.around(), nil
		}
		key, value, err := memberStart(b, at)
		if err != nil {
			return false, err
		}
		if i, err = m.add(key, b, value); err != nil {
			return false, err
		}
		if m.object || (m.marked && m.list) {
			return true, nil
		}
	}
}

// members is what an object's members tell of whether it goes around a list.
type members struct {
	object bool // an object is in the list data
	list   bool // data is a list, or null
	other  bool // data has elements that are neither object nor null, or is no list
	marked bool // "type":"MTA"
	meta   bool // an object
	field  bool // one of a SIEM record
}

func (m *members) around() bool {
	return m.object || (m.list && (m.marked || (!m.field && (m.meta || !m.other))))
}

// add adds the member whose value is at i and returns the place behind it, if
// that still matters.
func (m *members) add(key, b []byte, i int) (int, error) {
	isData := string(key) == dataKey
	if isData && i < len(b) && b[i] == '[' {
		m.list = true
		if m.marked {
			return i, nil
		}
		has, end, err := look(b, i)
		m.object, m.other = has == objects, m.other || has == values
		return end, err
	}
	end, err := skipValue(b, i)
	if err != nil {
		return 0, err
	}
	switch string(key) {
	case dataKey:
		m.list, m.other = m.list || b[i] == 'n', m.other || b[i] != 'n'
	case "type":
		m.marked = m.marked || string(b[i:end]) == `"MTA"`
	case "meta":
		m.meta = m.meta || b[i] == '{'
	case "datetime", "eventTime", "aCode", "acc":
		m.field = true
	}
	return end, nil
}

// content is what a list has in it.
type content int

const (
	nothing content = iota // or nulls
	values                 // something that is neither null nor an object
	objects
)

// look looks into the list at i, as far as its first object. If it has none, end
// is the place behind the list.
func look(b []byte, i int) (has content, end int, err error) {
	i++
	for n := 0; ; n++ {
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ']' {
			return has, i + 1, nil
		}
		if n > 0 && i < len(b) {
			if b[i] != ',' {
				return nothing, 0, errSyntax
			}
			i = skipSpace(b, i+1)
		}
		if i == len(b) {
			return nothing, 0, errShort
		}
		switch b[i] {
		case '{':
			return objects, 0, nil
		case 'n':
		default:
			has = values
		}
		if i, err = skipValue(b, i); err != nil {
			return nothing, 0, err
		}
	}
}

package record

import (
	"errors"
	"io"
)

// JSONDecoder splits a JSON log file into records: one object with a list of
// records, {"type":"MTA","data":[{…},{…}]}, as the service sends; a bare list,
// records one after the other, and several of all these are taken too.
type JSONDecoder struct {
	window
	encoder jsonEncoder
	source  []byte
	state   jsonState
	inside  bool // the list is inside an object
}

type jsonState int

const (
	betweenValues jsonState = iota // a record, a list, an object with a list, or the end
	firstElement                   // a record or the end of the list
	nextElement                    // a record
	afterElement                   // a comma or the end of the list
	afterList                      // the rest of the object around the list
)

// Reset makes the decoder ready for another log file.
func (d *JSONDecoder) Reset(r io.Reader, o Origin) {
	d.view(r)
	d.encoder.reset(o)
	d.source, d.state, d.inside = nil, betweenValues, false
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
	case len(object) > MaxRecord || len(out)-len(dst) > maxEncoded:
		return dst, errLong
	}
	return out, nil
}

// What can stop the reading of a value.
var (
	errShort  = errors.New(cutShort) // more bytes are needed
	errSyntax = errors.New("not JSON")
	errDepth  = errors.New("objects and lists nest too deep")
	errFields = errors.New("too many fields")
	errLong   = errors.New(tooLong)
	// errEncoded is of a record that its source does not show to be too long.
	errEncoded = errors.New("a record that is too long when it is encoded")
)

const (
	notObject = "a list element that is no object"
	bom       = "\ufeff"
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
		return dst, d.damage(err.Error())
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
	}
	if j := skipSpace(b, i); j != i || j == len(b) {
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
		return dst, false, d.closeObject(b, c)
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
	case '{':
		list, err := findList(b, d.pos)
		switch {
		case err != nil:
			return dst, false, err
		case list >= 0 && d.tooLong(list):
			return dst, false, errLong
		case list >= 0:
			d.pos = list
			d.state, d.inside = firstElement, true
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
			d.state = afterList
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
	}
	end, err := skipValue(b, d.pos)
	if err != nil {
		return dst, false, err
	}
	d.state = afterElement
	return dst, false, d.oneRecord(end, notObject)
}

// record encodes the object at pos.
func (d *JSONDecoder) record(dst, b []byte) ([]byte, bool, error) {
	out, end, err := d.encoder.record(dst, b, d.pos)
	switch err {
	case nil:
		if d.tooLong(end) {
			return dst, false, errLong
		}
		if len(out)-len(dst) > maxEncoded {
			return dst, false, d.oneRecord(end, errEncoded.Error())
		}
		d.source = d.buf[d.pos:end]
		d.pos = end
		return out, true, nil
	case errDepth, errFields:
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

// closeObject passes over what follows the list in the object around it, up to
// its end or to one more list.
func (d *JSONDecoder) closeObject(b []byte, c byte) error {
	if c == '}' {
		d.pos++
		d.state = betweenValues
		return nil
	}
	if c != ',' {
		return errSyntax
	}
	list, end, err := member(b, skipSpace(b, d.pos+1))
	switch {
	case err != nil:
		return err
	case d.tooLong(max(list, end)):
		return errLong
	case list >= 0:
		d.pos, d.state = list, firstElement
	default:
		d.pos = end
	}
	return nil
}

// findList looks whether the object at i is one with a list of records in its
// field "data", and returns the place behind the list's bracket; -1 for any
// other object. Only a few fields may come before it, and none that is an object
// or a list.
func findList(b []byte, i int) (int, error) {
	i = skipSpace(b, i+1)
	for range 4 {
		if i == len(b) {
			return 0, errShort
		}
		if b[i] == '}' {
			return -1, nil
		}
		list, end, err := member(b, i)
		if err != nil || list >= 0 {
			return list, err
		}
		if c := b[end-1]; c == '}' || c == ']' {
			return -1, nil
		}
		if i = skipSpace(b, end); i == len(b) {
			return 0, errShort
		}
		if b[i] != ',' {
			return -1, nil // the end, or an error that the record's reader names
		}
		i = skipSpace(b, i+1)
	}
	return -1, nil
}

// member looks at the member at i of an object around a list: it returns the
// place behind the list's bracket if it is the list, else -1 and the place
// behind the member.
func member(b []byte, i int) (list, end int, err error) {
	key, value, err := memberStart(b, i)
	if err != nil {
		return -1, 0, err
	}
	if string(key) == "data" {
		if list, err = listStart(b, value); list >= 0 || err != nil {
			return list, 0, err
		}
	}
	end, err = skipValue(b, value)
	return -1, end, err
}

// listStart returns the place behind the bracket of a list of objects, -1 when
// there is none at i.
func listStart(b []byte, i int) (int, error) {
	if i == len(b) {
		return 0, errShort
	}
	if b[i] != '[' {
		return -1, nil
	}
	first := skipSpace(b, i+1)
	if first == len(b) {
		return 0, errShort
	}
	if b[first] == '{' || b[first] == ']' {
		return i + 1, nil
	}
	return -1, nil
}

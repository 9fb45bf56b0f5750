package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Canonical returns the one spelling of a JSON object that all its spellings
// share: keys sorted by bytes, no white space, strings with the fewest escapes
// (control characters as \u00XX, everything beyond ASCII as itself), bytes that
// are not UTF-8 as U+FFFD. A number without fraction and exponent keeps its
// digits, however many; any other is written as the shortest decimal that gives
// the same float64 and keeps a fraction, so 1 and 1.0 stay different records.
//
// It returns an error for anything but one JSON object, and for an object that
// has a key twice.
func Canonical(record []byte) (string, error) {
	v, err := parseObject(record)
	if err != nil {
		return "", err
	}
	return string(appendCanonical(make([]byte, 0, len(record)), v)), nil
}

// CanonicalText is [Canonical] for records that went through key_value, which
// cannot tell 1 from "1" nor null from an empty string: numbers and booleans at
// the top level become strings, null an empty one, and objects and arrays there,
// decoded or still as text, their canonical JSON in a string. Put both sides of
// a comparison through it.
func CanonicalText(record []byte) (string, error) {
	v, err := parseObject(record)
	if err != nil {
		return "", err
	}
	for i, m := range v.members {
		v.members[i].value = textValue(flatText(m.value))
	}
	return string(appendCanonical(nil, v)), nil
}

func flatText(v value) string {
	switch v.kind {
	case kindObject, kindArray:
		return string(appendCanonical(nil, v))
	case kindText:
		if strings.HasPrefix(v.text, "{") || strings.HasPrefix(v.text, "[") {
			if inner, err := parseValue([]byte(v.text)); err == nil {
				return string(appendCanonical(nil, inner))
			}
		}
	}
	return v.text
}

func parseObject(src []byte) (value, error) {
	v, err := parseValue(src)
	if err == nil && v.kind != kindObject {
		err = errors.New("simulator: not a JSON object")
	}
	return v, err
}

var errInvalid = errors.New("simulator: not valid JSON")

func parseValue(src []byte) (value, error) {
	p := parser{src: string(src), isUTF8: utf8.Valid(src)}
	v, err := p.value()
	if p.peek(); err == nil && p.at < len(p.src) {
		err = errInvalid
	}
	return v, err
}

// parser reads JSON as strictly as encoding/json, and refuses repeated keys. What
// it reads shares the memory of src.
type parser struct {
	src    string
	at     int
	isUTF8 bool // all of src
}

func (p *parser) value() (value, error) {
	switch p.peek() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		s, err := p.str()
		return textValue(s), err
	}
	switch literal := p.literal(); {
	case literal == "null":
		return value{}, nil
	case literal == "true", literal == "false":
		return value{kind: kindLiteral, text: literal}, nil
	case !json.Valid([]byte(literal)):
		return value{}, errInvalid
	default:
		literal, err := canonicalNumber(literal)
		return value{kind: kindLiteral, text: literal}, err
	}
}

func (p *parser) object() (value, error) {
	v := value{kind: kindObject}
	for more := p.begins('}'); more; {
		p.peek()
		key, err := p.str()
		if err != nil {
			return v, err
		}
		if p.peek() != ':' {
			return v, errInvalid
		}
		p.at++
		inner, err := p.value()
		if err != nil {
			return v, err
		}
		if slices.ContainsFunc(v.members, func(m member) bool { return m.key == key }) {
			return v, fmt.Errorf("simulator: the key %q is there twice", key)
		}
		if v.members == nil {
			v.members = make([]member, 0, 32)
		}
		v.members = append(v.members, member{key, inner})
		if more, err = p.follows('}'); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (p *parser) array() (value, error) {
	v := value{kind: kindArray}
	for more := p.begins(']'); more; {
		item, err := p.value()
		if err != nil {
			return v, err
		}
		v.members = append(v.members, member{value: item})
		if more, err = p.follows(']'); err != nil {
			return v, err
		}
	}
	return v, nil
}

// begins steps over the bracket here, and reports whether anything is before end.
func (p *parser) begins(end byte) bool {
	p.at++
	if p.peek() != end {
		return true
	}
	p.at++
	return false
}

// follows steps over a comma, or over end, and reports which it was.
func (p *parser) follows(end byte) (comma bool, err error) {
	c := p.peek()
	if c != ',' && c != end {
		return false, errInvalid
	}
	p.at++
	return c == ',', nil
}

// peek skips white space and returns the byte there, 0 at the end.
func (p *parser) peek() byte {
	for ; p.at < len(p.src); p.at++ {
		switch c := p.src[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (p *parser) str() (string, error) {
	rest := p.src[p.at:]
	if rest == "" || rest[0] != '"' {
		return "", errInvalid
	}
	plain := p.isUTF8
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"' && plain:
			p.at += i + 1
			return rest[1:i], nil
		case c == '"':
			p.at += i + 1
			var s string
			if json.Unmarshal([]byte(rest[:i+1]), &s) != nil {
				return "", errInvalid
			}
			return s, nil
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			return "", errInvalid
		}
	}
	return "", errInvalid
}

func (p *parser) literal() string {
	rest := p.src[p.at:]
	if end := strings.IndexAny(rest, ",]} \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	p.at += len(rest)
	return rest
}

func canonicalNumber(literal string) (string, error) {
	if !strings.ContainsAny(literal, ".eE") {
		if literal == "-0" {
			literal = "0"
		}
		return literal, nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return "", fmt.Errorf("simulator: number out of range: %w", err)
	}
	shortest := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(shortest, ".") {
		shortest += ".0"
	}
	return shortest, nil
}

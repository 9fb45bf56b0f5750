package simulator

import (
	"bytes"
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

func parseValue(src []byte) (value, error) {
	if !json.Valid(src) {
		return value{}, errors.New("simulator: not valid JSON")
	}
	p := parser{src: src}
	return p.value()
}

// parser reads JSON that is known to be valid, so that it has nothing to check
// but repeated keys.
type parser struct {
	src []byte
	at  int
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
	literal := p.literal()
	switch literal {
	case "null":
		return value{}, nil
	case "true", "false":
		return value{kind: kindLiteral, text: literal}, nil
	}
	literal, err := canonicalNumber(literal)
	return value{kind: kindLiteral, text: literal}, err
}

func (p *parser) object() (value, error) {
	v := value{kind: kindObject}
	p.at++
	for p.peek() != '}' {
		if v.members == nil {
			v.members = make([]member, 0, 16)
		}
		if p.src[p.at] == ',' {
			p.at++
			p.peek()
		}
		key, err := p.str()
		if err != nil {
			return v, err
		}
		p.peek()
		p.at++ // the colon
		inner, err := p.value()
		if err != nil {
			return v, err
		}
		if slices.ContainsFunc(v.members, func(m member) bool { return m.key == key }) {
			return v, fmt.Errorf("simulator: the key %q is there twice", key)
		}
		v.members = append(v.members, member{key, inner})
	}
	p.at++
	return v, nil
}

func (p *parser) array() (value, error) {
	v := value{kind: kindArray}
	p.at++
	for p.peek() != ']' {
		if p.src[p.at] == ',' {
			p.at++
		}
		item, err := p.value()
		if err != nil {
			return v, err
		}
		v.members = append(v.members, member{value: item})
	}
	p.at++
	return v, nil
}

// peek skips white space and returns the byte there.
func (p *parser) peek() byte {
	for {
		switch c := p.src[p.at]; c {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return c
		}
	}
}

func (p *parser) str() (string, error) {
	start := p.at
	plain := true
	for p.at++; p.src[p.at] != '"'; p.at++ {
		if p.src[p.at] == '\\' {
			plain = false
			p.at++
		}
	}
	p.at++
	quoted := p.src[start:p.at]
	if plain && utf8.Valid(quoted) {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var s string
	err := json.Unmarshal(quoted, &s)
	return s, err
}

func (p *parser) literal() string {
	rest := p.src[p.at:]
	if end := bytes.IndexAny(rest, ",]} \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	p.at += len(rest)
	return string(rest)
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

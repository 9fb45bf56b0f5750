package simulator

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	kindNull kind = iota
	kindText
	kindLiteral // a number, true or false, spelt in text
	kindObject
	kindArray
)

// value is any JSON value. The zero value is null.
type value struct {
	kind    kind
	text    string
	members []member // of an object in wire order; of an array, with empty keys
}

type member struct {
	key   string
	value value
}

func textValue(s string) value   { return value{kind: kindText, text: s} }
func numberValue(n int) value    { return value{kind: kindLiteral, text: strconv.Itoa(n)} }
func truthValue(b bool) value    { return value{kind: kindLiteral, text: strconv.FormatBool(b)} }
func objectOf(m ...member) value { return value{kind: kindObject, members: m} }
func arrayOf(items ...value) (v value) {
	v.kind = kindArray
	for _, item := range items {
		v.members = append(v.members, member{value: item})
	}
	return v
}

func textsOf(texts []string) (v value) {
	v.kind = kindArray
	for _, s := range texts {
		v.members = append(v.members, member{value: textValue(s)})
	}
	return v
}

// spelling is how a JSON writer chooses between the ways to write a string.
type spelling struct {
	ascii bool // everything beyond ASCII as \uXXXX
	slash bool // '/' as \/
}

// appendJSON appends v in wire order.
func appendJSON(dst []byte, v value, how spelling) []byte {
	switch v.kind {
	case kindNull:
		return append(dst, "null"...)
	case kindText:
		return appendJSONString(dst, v.text, how)
	case kindLiteral:
		return append(dst, v.text...)
	case kindArray:
		dst = append(dst, '[')
		for i, m := range v.members {
			dst = appendComma(dst, i)
			dst = appendJSON(dst, m.value, how)
		}
		return append(dst, ']')
	default:
		dst = append(dst, '{')
		for i, m := range v.members {
			dst = appendComma(dst, i)
			dst = append(appendJSONString(dst, m.key, how), ':')
			dst = appendJSON(dst, m.value, how)
		}
		return append(dst, '}')
	}
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func appendJSONString(dst []byte, s string, how spelling) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/' && how.slash:
			dst = append(dst, '\\', byte(r))
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < ' ' || r >= utf8.RuneSelf && r <= 0xffff && how.ascii:
			dst = appendEscape(dst, r)
		case r > 0xffff && how.ascii:
			dst = appendEscape(dst, 0xd800+(r-0x10000)>>10)
			dst = appendEscape(dst, 0xdc00+(r-0x10000)&0x3ff)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// appendEscape appends one UTF-16 unit as \uXXXX.
func appendEscape(dst []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}

// appendKeyValue appends an object's members as one key_value line with its end.
// The format has no escapes: the caller sees to it that no value holds a line
// end, and no value but a subject a "|identifier=".
func appendKeyValue(dst []byte, members []member) []byte {
	for i, m := range members {
		if i > 0 {
			dst = append(dst, '|')
		}
		dst = append(append(dst, m.key...), '=')
		switch {
		case m.value.kind == kindNull:
		case m.value.kind == kindObject || m.value.kind == kindArray:
			dst = appendJSON(dst, m.value, spelling{})
		case strings.EqualFold(m.key, "subject"):
			dst = append(append(append(dst, '\\'), m.value.text...), '\\')
		default:
			dst = append(dst, m.value.text...)
		}
	}
	return append(dst, '\n')
}

// appendCanonical appends v in the one form [Canonical] describes. It sorts the
// members of v's objects in place.
func appendCanonical(dst []byte, v value) []byte {
	switch v.kind {
	case kindNull:
		return append(dst, "null"...)
	case kindText:
		return appendCanonicalString(dst, v.text)
	case kindLiteral:
		return append(dst, v.text...)
	case kindArray:
		dst = append(dst, '[')
		for i, m := range v.members {
			dst = appendComma(dst, i)
			dst = appendCanonical(dst, m.value)
		}
		return append(dst, ']')
	default:
		slices.SortFunc(v.members, func(a, b member) int { return strings.Compare(a.key, b.key) })
		dst = append(dst, '{')
		for i, m := range v.members {
			dst = appendComma(dst, i)
			dst = append(appendCanonicalString(dst, m.key), ':')
			dst = appendCanonical(dst, m.value)
		}
		return append(dst, '}')
	}
}

func appendCanonicalString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[done:i]...)
		done = i + 1
		if c < ' ' {
			dst = appendEscape(dst, rune(c))
		} else {
			dst = append(dst, '\\', c)
		}
	}
	return append(append(dst, s[done:]...), '"')
}

package record

import (
	"encoding/binary"
	"math/bits"
)

// Reading JSON without keeping it: where values begin and end.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// memberStart reads the key at i and the colon, and returns the place of the
// value, which may be the end of b.
func memberStart(b []byte, i int) (key []byte, value int, err error) {
	if i == len(b) {
		return nil, 0, errShort
	}
	if b[i] != '"' {
		return nil, 0, errSyntax
	}
	end, err := skipString(b, i)
	if err != nil {
		return nil, 0, err
	}
	value, err = behindColon(b, end)
	return b[i+1 : end-1], value, err
}

// behindColon returns the place of the value of a member whose key ends at i,
// which may be the end of b.
func behindColon(b []byte, i int) (int, error) {
	if i = skipSpace(b, i); i == len(b) {
		return 0, errShort
	}
	if b[i] != ':' {
		return 0, errSyntax
	}
	return skipSpace(b, i+1), nil
}

// plainEnd returns the place of the first quote, backslash or control character
// from i on, or the end of b.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if found := stopBits(binary.LittleEndian.Uint64(b[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}

// stopBits sets the high bit of each quote, backslash and control character among
// the eight bytes of a word. Behind the first it may set more.
func stopBits(w uint64) uint64 {
	slash := w ^ '\\'*eachByte
	// What has its second bit turned over and is below 0x21 then is a quote or a
	// control character.
	w ^= 2 * eachByte
	return ((w-0x21*eachByte)&^w | (slash-eachByte)&^slash) & highBits
}

// skipString returns the place behind the string whose quote is at i. It
// checks the string as far as its reader does.
func skipString(b []byte, i int) (int, error) {
	for i = plainEnd(b, i+1); i < len(b); i = plainEnd(b, i) {
		if b[i] == '"' {
			return i + 1, nil
		}
		if b[i] != '\\' {
			return 0, errSyntax
		}
		n, err := escapeLen(b, i)
		if err != nil {
			return 0, err
		}
		i += n
	}
	return 0, errShort
}

// escapeLen returns the length of the escape whose backslash is at i.
func escapeLen(b []byte, i int) (int, error) {
	if i+1 == len(b) {
		return 0, errShort
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k == len(b) {
				return 0, errShort
			}
			if hexDigit(b[k]) < 0 {
				return 0, errSyntax
			}
		}
		return 6, nil
	}
	return 0, errSyntax
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// skipValue returns the place behind the value that begins at or behind i. It
// doesn't call itself: depth costs it a byte a level, and an allocation only where
// it is great.
func skipValue(b []byte, i int) (int, error) {
	var room [64]byte
	stack := room[:0] // the closing brackets that are due
	for {
		i = skipSpace(b, i)
		if i == len(b) {
			return 0, errShort
		}
		var err error
		opened := false
		switch b[i] {
		case '{', '[':
			stack = append(stack, b[i]+2) // '{'+2 is '}', '['+2 is ']'
			i++
			opened = true
		case '"':
			i, err = skipString(b, i)
		default:
			i, err = skipScalar(b, i)
		}
		if err != nil {
			return 0, err
		}
		if i, stack, err = afterValue(b, i, stack, opened); err != nil || len(stack) == 0 {
			return i, err
		}
	}
}

// afterValue closes what ends at i and steps to the next value inside what
// stays open. opened says that a bracket was just opened.
func afterValue(b []byte, i int, stack []byte, opened bool) (int, []byte, error) {
	for len(stack) > 0 {
		i = skipSpace(b, i)
		if i == len(b) {
			return 0, stack, errShort
		}
		closing := stack[len(stack)-1]
		switch {
		case b[i] == closing:
			i++
			stack = stack[:len(stack)-1]
			opened = false
			continue
		case !opened && b[i] != ',':
			return 0, stack, errSyntax
		case !opened:
			i++
		}
		if closing == '}' {
			_, value, err := memberStart(b, skipSpace(b, i))
			return value, stack, err
		}
		return i, stack, nil
	}
	return i, stack, nil
}

// skipScalar returns the place behind the number or the word at i. The byte
// behind a number must be in view, for it might go on.
func skipScalar(b []byte, i int) (int, error) {
	switch c := b[i]; {
	case c == '-' || ('0' <= c && c <= '9'):
		return skipNumber(b, i)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return 0, errSyntax
}

func skipWord(b []byte, i int, word string) (int, error) {
	n := min(len(word), len(b)-i)
	if string(b[i:i+n]) != word[:n] {
		return 0, errSyntax
	}
	if n < len(word) {
		return 0, errShort
	}
	return i + n, nil
}

func skipNumber(b []byte, i int) (int, error) {
	if b[i] == '-' {
		i++
	}
	start := i
	i = skipDigits(b, i)
	if i < len(b) && (i == start || (b[start] == '0' && i-start > 1)) {
		return 0, errSyntax
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i < len(b) && i == start {
			return 0, errSyntax
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		start = i + 1
		if start < len(b) && (b[start] == '+' || b[start] == '-') {
			start++
		}
		if i = skipDigits(b, start); i < len(b) && i == start {
			return 0, errSyntax
		}
	}
	if i >= len(b) {
		return 0, errShort
	}
	return i, nil
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

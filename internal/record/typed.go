package record

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"unicode/utf16"

	"github.com/tinylib/msgp/msgp"
)

// TypedField is a field of the SIEM logs of API 2.0 that comes as a text and stands
// for something else.
type TypedField struct {
	Name string
	kind kind
}

// typedFields are those that [Origin].Typed gives their types. Sources: Mimecast's
// sample records, and what the same fields of API 1.0 are, which has types.
//
// tlsUsed is not among them: it came as Yes and No, and since 2025 as true and
// false.
var typedFields = [...]TypedField{
	{"numberAttachments", isNumeric},
	{"totalSizeAttachments", isNumeric},
	{"emailSize", isNumeric},
	{"sizeAttachment", isNumeric},
	{"spamScore", isNumeric},
	{"spamDetectionLevel", isNumeric},
	{"deliveryAttempts", isNumeric},
	{"deliveryTime", isNumeric},
	{"itemsDetected", isNumeric},
	{"delivered", isBoolean},
	{"senderDomainInternal", isBoolean},
	{"customNameMatch", isBoolean},
	{"customThreatDictionary", isBoolean},
	{"internalUserName", isBoolean},
	{"mimecastThreatDictionary", isBoolean},
	{"newDomain", isBoolean},
	{"replyMismatch", isBoolean},
	{"similarCustomExternalDomain", isBoolean},
	{"similarInternalDomain", isBoolean},
	{"similarMimecastExternalDomain", isBoolean},
	{"taggedExternal", isBoolean},
	{"taggedMalicious", isBoolean},
	{"spamProcessingDetail", isObject},
	{"analysis", isObject},
}

// TypedFields returns the fields that get a type.
func TypedFields() []TypedField { return slices.Clone(typedFields[:]) }

// Type is the field's: number, boolean or object.
func (f TypedField) Type() string {
	switch f.kind {
	case isNumeric:
		return "number"
	case isBoolean:
		return "boolean"
	}
	return "object"
}

// typedKind returns the kind of a field, which is a text if it has no type.
func typedKind(key []byte) kind {
	for i := range typedFields {
		if string(key) == typedFields[i].Name {
			return typedFields[i].kind
		}
	}
	return isText
}

// convert gives the text that is encoded at dst[at:] the type of its field. What is
// no text, or does not fit the type without a loss, stays as it is.
func (e *jsonEncoder) convert(dst []byte, at int, k kind) []byte {
	if msgp.NextType(dst[at:]) != msgp.StrType {
		return dst
	}
	text, _, _ := msgp.ReadStringZC(dst[at:])
	switch k {
	case isNumeric:
		return convertNumber(dst, at, text)
	case isBoolean:
		switch string(text) {
		case "true":
			return append(dst[:at], 0xc3)
		case "false":
			return append(dst[:at], 0xc2)
		}
	case isObject:
		return e.convertObject(dst, at, text)
	}
	return dst
}

// maxNumber bounds the spelling of a number that is converted, in bytes.
const maxNumber = 64

// convertNumber takes whole numbers of 64 bits, and decimals that a float has
// every digit of.
func convertNumber(dst []byte, at int, text []byte) []byte {
	if len(text) == 0 || len(text) >= maxNumber || !isNumber(text) || bytes.ContainsAny(text, "eE") || string(text) == "-0" {
		return dst
	}
	if bytes.IndexByte(text, '.') < 0 {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return msgp.AppendInt64(dst[:at], n)
		}
		return dst
	}
	if f, ok := exactFloat(text); ok {
		return msgp.AppendFloat64(dst[:at], f)
	}
	return dst
}

// maxEncodings is how many times an object's JSON may be encoded as a text.
const maxEncodings = 2

// convertObject takes the JSON of an object, or of null. It is encoded after the
// text, which it then replaces.
func (e *jsonEncoder) convertObject(dst []byte, at int, text []byte) []byte {
	keys, out := len(e.keys), dst
	e.lossless = true
	defer func() { e.lossless, e.keys = false, e.keys[:keys] }()
	for range maxEncodings {
		i := skipSpace(text, 0)
		if i == len(text) || halfPair(text) {
			return dst
		}
		from := len(out)
		var end int
		var err error
		if out, end, err = e.value(out, text, i, 1); err != nil || skipSpace(text, end) != len(text) {
			return dst
		}
		switch msgp.NextType(out[from:]) {
		case msgp.MapType, msgp.NilType:
			n := copy(out[at:], out[from:])
			return out[:at+n]
		case msgp.StrType:
			text, _, _ = msgp.ReadStringZC(out[from:])
		default:
			return dst
		}
	}
	return dst
}

// errLoss ends the reading of a text whose object would lack something of it.
var errLoss = errors.New("a value that would not be kept whole")

// halfPair reports whether a text escapes half of a surrogate pair, which stands
// for no character.
func halfPair(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return false
		}
		text = text[i:]
		if text[1] != 'u' || len(text) < 6 {
			text = text[2:]
			continue
		}
		r := hex4(text[2:])
		text = text[6:]
		if !utf16.IsSurrogate(r) {
			continue
		}
		if len(text) < 6 || text[0] != '\\' || text[1] != 'u' || utf16.DecodeRune(r, hex4(text[2:])) == '\ufffd' {
			return true
		}
		text = text[6:]
	}
}

// exactFloat reads a number in JSON's spelling; false if a float does not have all
// its digits.
func exactFloat(lit []byte) (float64, bool) {
	if len(lit) > maxNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil {
		return 0, false
	}
	var room, room1, room2 [maxNumber]byte
	digits, exponent, ok := significant(room1[:0], lit)
	same, sameExponent, _ := significant(room2[:0], strconv.AppendFloat(room[:0], f, 'e', -1, 64))
	return f, ok && exponent == sameExponent && bytes.Equal(digits, same)
}

// significant appends the digits of a number without the zeros around them. The
// number is 0.digits times ten to the exponent.
func significant(dst, lit []byte) (digits []byte, exponent int, ok bool) {
	fraction := false
	for i, c := range lit {
		switch {
		case c == '.':
			fraction = true
		case c|0x20 == 'e':
			n, err := strconv.Atoi(string(lit[i+1:]))
			if err != nil {
				return dst, 0, false
			}
			return trimZeros(dst, exponent+n)
		case c == '-':
		case c == '0' && len(dst) == 0:
			if fraction {
				exponent--
			}
		default:
			dst = append(dst, c)
			if !fraction {
				exponent++
			}
		}
	}
	return trimZeros(dst, exponent)
}

func trimZeros(digits []byte, exponent int) ([]byte, int, bool) {
	if digits = bytes.TrimRight(digits, "0"); len(digits) == 0 {
		exponent = 0
	}
	return digits, exponent, true
}

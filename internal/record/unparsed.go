package record

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
)

// Unparsed is the log_type of records that hold what could not be read.
const Unparsed = "unparsed"

// The fields of such records.
const (
	keyFile     = "file"
	keyError    = "error"
	keyOffset   = "offset"
	keyEncoding = "encoding"
	keyRaw      = "raw"
)

// MaxRaw bounds the raw bytes in one such record.
const MaxRaw = 128 << 10

// Piece is raw bytes of a log file, or of the batch that it came in.
type Piece struct {
	File   string
	Error  string // why they can't be read
	Offset int64  // of Raw, in what Error is about
	Raw    []byte // at most MaxRaw bytes
}

// AppendUnparsed appends raw bytes as a record: as text where they are valid
// UTF-8, in base64 otherwise.
func AppendUnparsed(dst []byte, o Origin, p Piece) []byte {
	start := len(dst)
	o.Type = Unparsed
	dst, _ = o.head(dst)
	dst = msgp.AppendString(dst, keyFile)
	dst = msgp.AppendString(dst, p.File)
	dst = msgp.AppendString(dst, keyError)
	dst = msgp.AppendString(dst, p.Error)
	dst = msgp.AppendString(dst, keyOffset)
	dst = msgp.AppendInt64(dst, p.Offset)
	fields, text := 6, utf8.Valid(p.Raw)
	if !text {
		dst = msgp.AppendString(dst, keyEncoding)
		dst = msgp.AppendString(dst, "base64")
		fields++
	}
	dst = msgp.AppendString(dst, keyRaw)
	if text {
		dst = msgp.AppendStringFromBytes(dst, p.Raw)
	} else {
		dst = msgp.AppendString(dst, base64.StdEncoding.EncodeToString(p.Raw))
	}
	if o.AccountKey != "" {
		dst, _ = o.tail(dst)
		fields++
	}
	setFields(dst[start:], fields)
	return dst
}

// CutText returns how many of the first bytes of raw make a good piece: all,
// unless that would cut a character of UTF-8 text in two.
func CutText(raw []byte) int {
	for back := 1; back <= utf8.UTFMax && back < len(raw); back++ {
		if tail := raw[len(raw)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return len(raw) - back
			}
			break
		}
	}
	return len(raw)
}

// CleanName makes a file name from the network fit to be shown: printable, of
// a bounded length. It is never used as a path.
func CleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if r := []rune(name); len(r) > 200 {
		name = string(r[:200])
	}
	return name
}

// UnknownType is the log_type of a file whose name does not tell one.
const UnknownType = "unknown"

// TypeOf returns the log_type that a log file's name tells: what is before its
// first part that begins with a digit, receipt in receipt_20211018093511655.log.
// Parts are separated by _ or -. A type begins with a letter and has at most 32
// of a-z, 0-9 and _; a name that gives no such type, or is a UUID, is unknown.
func TypeOf(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name, _, _ = strings.Cut(name, ".")
	if uuid.Validate(name[:min(len(name), 36)]) == nil {
		return UnknownType
	}
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for i := 1; i < len(name); i++ {
		if name[i-1] == '_' && name[i] >= '0' && name[i] <= '9' {
			name = name[:i]
			break
		}
	}
	name = strings.TrimRight(name, "_")
	ok := len(name) >= 1 && len(name) <= 32 && name[0] >= 'a' && name[0] <= 'z' &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
		})
	if !ok {
		return UnknownType
	}
	return name
}

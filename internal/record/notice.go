package record

import "github.com/tinylib/msgp/msgp"

// The origin of notices.
const (
	NoticeSource = "mimecast"
	NoticeType   = "notice"
)

// AppendNotice appends a record of the plugin's own, with a text for each field of
// pairs of names and texts. A field without a text is left out. The account has no
// field if one of them has its name.
func AppendNotice(dst []byte, o Origin, pairs ...string) []byte {
	start := len(dst)
	o.Source, o.Type = NoticeSource, NoticeType
	dst, _ = o.head(dst)
	fields, account := 2, o.AccountKey != ""
	for ; len(pairs) > 1; pairs = pairs[2:] {
		if pairs[1] != "" {
			dst = msgp.AppendString(dst, pairs[0])
			dst = msgp.AppendString(dst, pairs[1])
			fields++
			account = account && pairs[0] != o.AccountKey
		}
	}
	if account {
		dst, _ = o.tail(dst)
		fields++
	}
	setFields(dst[start:], fields)
	return dst
}

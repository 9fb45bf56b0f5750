package simulator

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// cursor is where a page of links starts: at the first file of that number or a
// later one. It is good for every type, and lives as long as the server.
type cursor struct {
	file int
	salt uint32 // makes cursors of one place differ
}

// text returns the cursor as @nextPage has it: a plain position in base64.
func (c cursor) text() string {
	plain := strconv.Itoa(c.file)
	if c.salt > 0 {
		plain += ":" + strconv.FormatUint(uint64(c.salt), 10)
	}
	return base64.StdEncoding.EncodeToString([]byte(plain))
}

// parseCursor is false for a text that no cursor has.
func parseCursor(text string) (c cursor, ok bool) {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, false
	}
	file, salt, _ := strings.Cut(string(plain), ":")
	at, err := strconv.ParseUint(file, 10, 31)
	if err != nil {
		return cursor{}, false
	}
	c.file = int(at)
	if n, err := strconv.ParseUint(salt, 10, 32); err == nil {
		c.salt = uint32(n)
	}
	return c, c.text() == text
}

package hostconfig

import (
	"regexp"
	"strings"
)

// Match reports whether a tag matches a pattern of the key `match`, in which *
// stands for any number of characters.
func Match(pattern, tag string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return tag == pattern
	}
	tag, ok := strings.CutPrefix(tag, first)
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, tag, ok = strings.Cut(tag, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(tag, last)
}

// Regex returns the regular expression of a value of the key `match_regex`, which
// matches from the first character of a tag on. It returns an error for what only
// Fluent Bit's own library of regular expressions knows.
func Regex(value string) (*regexp.Regexp, error) {
	if n := len(value); n > 1 && value[0] == '/' && value[n-1] == '/' {
		value = value[1 : n-1]
	}
	return regexp.Compile("^(?:" + value + ")")
}

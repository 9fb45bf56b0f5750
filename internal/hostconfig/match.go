package hostconfig

import (
	"regexp"
	"strings"
)

// Match reports whether a tag matches a pattern of the key `match`, in which *
// stands for any number of characters.
func Match(pattern, tag string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	tag, ok := strings.CutPrefix(tag, first)
	if !ok || !star {
		return ok && tag == ""
	}
	if rest = strings.TrimLeft(rest, "*"); rest == "" {
		return true
	}
	for i := range tag {
		if Match(rest, tag[i:]) {
			return true
		}
	}
	return false
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

package hostconfig

import (
	"os"
	"strings"
)

// environment has the variables that ${NAME} stands for.
type environment struct {
	set        map[string]string // by env: and @SET, which go first
	getenv     func(string) string
	unreadable []string
}

// put sets a variable. One of file:// stands for what the file holds.
func (e *environment) put(name, value string) {
	if path, isFile := strings.CutPrefix(value, "file://"); isFile && path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			e.unreadable = append(e.unreadable, path)
			return
		}
		value = string(content)
		if n := len(value); n > 0 && (value[n-1] == '\n' || value[n-1] == '\r') {
			value = value[:n-1]
		}
	}
	e.set[name] = value
}

func (e *environment) get(name string) string {
	if value, ok := e.set[name]; ok {
		return value
	}
	return e.getenv(name)
}

// replace puts the values of variables in their places, once: what a value has of
// variables stays. It returns the names of those without a value, and without a
// default as in ${NAME:-default}.
func (e *environment) replace(text string) (replaced string, unset []string) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed || name == "" {
			b.WriteString(text)
			return b.String(), unset
		}
		b.WriteString(before)
		name, def, hasDefault := strings.Cut(name, ":-")
		value := e.get(name)
		switch {
		case value != "":
		case hasDefault:
			value = def
		default:
			unset = append(unset, name)
		}
		b.WriteString(value)
		text = after
	}
}

package hostconfig

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Config is a configuration, with the files that it includes.
type Config struct {
	Service Section    // of all files together
	Inputs  []*Section // in the order in which Fluent Bit makes them
	Outputs []*Section
	Files   []string // that were read, the main one first

	env environment
}

// Section is an input, an output or the service.
type Section struct {
	At         Place // where it begins
	Properties []Property
}

// Place is a line of a file; line 0 is all of it.
type Place struct {
	File string
	Line int
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Property is a key of a section and its value.
type Property struct {
	Key   string // as Fluent Bit looks it up: in lower case, with _ for camelCase of YAML
	Value string // as written, with its variables; empty for another Kind than Text
	Kind  Kind
	Items []string // of a List of texts
	At    Place

	names []string // in a Map or a List, see Section.Routed
}

// Kind is what a value is.
type Kind int

// The kinds of values. The classic format has Text alone.
const (
	Text Kind = iota
	List
	Map
)

// Error is what keeps Fluent Bit from reading a configuration. It holds no value.
type Error struct {
	At  Place
	Why string
}

func (e *Error) Error() string { return e.At.String() + ": " + e.Why }

func failed(file string, line int, format string, args ...any) error {
	return &Error{Place{file, line}, fmt.Sprintf(format, args...)}
}

// Read reads a configuration. getenv returns a variable of the environment, empty
// when it is not set. The error is an *Error, or about a file.
func Read(path string, getenv func(string) string) (*Config, error) {
	c := &Config{env: environment{set: map[string]string{}, getenv: getenv}}
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		err = c.readYAML(path)
	default:
		err = c.readClassic(path, filepath.Dir(path))
	}
	return c, err
}

// begin notes that a file is read; false if it was before.
func (c *Config) begin(path string) bool {
	for _, file := range c.Files {
		if sameFile(file, path) {
			return false
		}
	}
	c.Files = append(c.Files, path)
	return true
}

func sameFile(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// matches returns the files that an include names.
func matches(path, folder string) []string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	if !strings.Contains(path, "*") {
		return []string{path}
	}
	found, _ := filepath.Glob(path) // none if the pattern is bad
	return found
}

// section returns where the properties of a section go, which are kept if it is of
// a kind that somebody asks for.
func (c *Config) section(name string, at Place) *Section {
	s := &Section{At: at}
	switch strings.ToLower(name) {
	case "service":
		if c.Service.At == (Place{}) {
			c.Service.At = at
		}
		return &c.Service
	case "input", "inputs":
		c.Inputs = append(c.Inputs, s)
	case "output", "outputs":
		c.Outputs = append(c.Outputs, s)
	}
	return s
}

// All returns the properties of a key, in any case.
func (s *Section) All(key string) []Property {
	var list []Property
	for _, p := range s.Properties {
		if strings.EqualFold(p.Key, key) {
			list = append(list, p)
		}
	}
	return list
}

// Routed returns the names of the outputs that an input's own routes lead to.
func (s *Section) Routed() []string {
	var names []string
	for _, p := range s.All("routes") {
		names = append(names, p.names...)
	}
	return names
}

// First returns the value of a key with its variables replaced, as plugins get it:
// the first one. It is empty when there is none.
func (c *Config) First(s *Section, key string) string {
	for _, p := range s.All(key) {
		if v := c.Value(p); v != "" {
			return v
		}
	}
	return ""
}

// Last returns the value of a key that Fluent Bit takes for itself: the last one.
func (c *Config) Last(s *Section, key string) string {
	value := ""
	for _, p := range s.All(key) {
		if v := c.Value(p); v != "" {
			value = v
		}
	}
	return value
}

// Value returns a value with its variables replaced; of a list, the first item.
func (c *Config) Value(p Property) string {
	if p.Kind == List && len(p.Items) > 0 {
		p.Value = p.Items[0]
	}
	value, _ := c.env.replace(p.Value)
	return strings.TrimSpace(value)
}

// Unset returns the variables of a value that have no value themselves.
func (c *Config) Unset(p Property) []string {
	_, unset := c.env.replace(strings.Join(append([]string{p.Value}, p.Items...), " "))
	return unset
}

// Unreadable returns the files that variables stand for and that can't be read.
func (c *Config) Unreadable() []string { return c.env.unreadable }

package hostconfig

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// readYAML reads a YAML file. Names in it are relative to its own folder.
func (c *Config) readYAML(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !c.begin(path) {
		return failed(path, 0, "the file is included twice")
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		// The library's own text may hold values.
		line := 0
		if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
			line, _ = strconv.Atoi(found[1])
		}
		return failed(path, line, "no valid YAML; look at this line and the one before: indentation, colons, quotes")
	}
	r := yamlFile{c, path}
	if len(document.Content) == 0 {
		return nil
	}
	return r.top(document.Content[0])
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

type yamlFile struct {
	config *Config
	path   string
}

func (r yamlFile) at(n *yaml.Node) Place { return Place{r.path, n.Line} }

func (r yamlFile) failed(n *yaml.Node, why string) error { return failed(r.path, n.Line, "%s", why) }

// pairs calls fn with each key of a map and its value.
func (r yamlFile) pairs(n *yaml.Node, what string, fn func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return r.failed(n, what+" has to be a map of keys and values")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode || value.Kind == yaml.AliasNode || key.Value == "<<" {
			return r.failed(key, "an alias; Fluent Bit reads none")
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (r yamlFile) top(root *yaml.Node) error {
	return r.pairs(root, "the file", func(key, value *yaml.Node) error {
		name := strings.ToLower(key.Value)
		switch {
		case value.Kind == yaml.ScalarNode:
			return r.failed(key, key.Value+" has to be a map or a list")
		case name == "service" && r.config.Service.At != (Place{}):
			return r.failed(key, "service is there twice; all files together may have one")
		}
		switch name {
		case "env":
			return r.env(value)
		case "includes":
			return r.includes(value)
		case "service":
			return r.properties(r.config.section("service", r.at(key)), "service", value)
		case "pipeline":
			return r.pairs(value, "pipeline", r.plugins)
		}
		return nil
	})
}

func (r yamlFile) plugins(key, list *yaml.Node) error {
	kind := strings.ToLower(key.Value)
	if kind != "inputs" && kind != "filters" && kind != "outputs" {
		return r.failed(key, "a pipeline has inputs, filters and outputs alone")
	}
	if list.Kind != yaml.SequenceNode {
		return r.failed(key, kind+" has to be a list, each item with a - before its first key")
	}
	for _, item := range list.Content {
		if err := r.properties(r.config.section(kind, r.at(item)), "an item of "+kind, item); err != nil {
			return err
		}
	}
	return nil
}

func (r yamlFile) properties(to *Section, what string, n *yaml.Node) error {
	return r.pairs(n, what, func(key, value *yaml.Node) error {
		if to == &r.config.Service && value.Kind == yaml.SequenceNode {
			return r.failed(key, "a list; Fluent Bit takes none in service")
		}
		p := Property{Key: snake(key.Value), Value: value.Value, At: r.at(key)}
		switch value.Kind {
		case yaml.MappingNode:
			p.Kind, p.names = Map, routed(value)
		case yaml.SequenceNode:
			p.Kind = List
			for _, item := range value.Content {
				p.Items = append(p.Items, item.Value)
			}
		}
		to.Properties = append(to.Properties, p)
		return nil
	})
}

// routed returns the outputs that routes name, in lists `outputs` at any depth.
func routed(n *yaml.Node) []string {
	var names []string
	for i, child := range n.Content {
		isOutputs := n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "outputs"
		if !isOutputs {
			names = append(names, routed(child)...)
			continue
		}
		for _, item := range child.Content {
			if item.Kind == yaml.ScalarNode {
				names = append(names, item.Value)
			}
			for j := 0; j+1 < len(item.Content); j += 2 {
				if item.Content[j].Value == "name" {
					names = append(names, item.Content[j+1].Value)
				}
			}
		}
	}
	return names
}

func (r yamlFile) includes(list *yaml.Node) error {
	for _, item := range list.Content {
		files := matches(item.Value, filepath.Dir(r.path))
		if len(files) == 0 {
			return r.failed(item, "no file is of the included name")
		}
		for _, file := range files {
			if err := r.config.readYAML(file); err != nil {
				return within(err, r.path, item.Line)
			}
		}
	}
	return nil
}

// env reads variables, as a map or as a list of maps.
func (r yamlFile) env(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return r.variables(n, "env", r.config.env.put)
	}
	for _, item := range n.Content {
		name, text := "", ""
		err := r.variables(item, "an item of env", func(key, value string) {
			switch strings.ToLower(key) {
			case "name":
				name = value
			case "value", "uri":
				text = value
			case "refresh_interval":
			default:
				if name == "" {
					name, text = key, value
				}
			}
		})
		if err != nil {
			return err
		}
		if name != "" {
			r.config.env.put(name, text)
		}
	}
	return nil
}

// variables calls put with each key of a map and its text.
func (r yamlFile) variables(n *yaml.Node, what string, put func(key, value string)) error {
	return r.pairs(n, what, func(key, value *yaml.Node) error {
		if value.Kind != yaml.ScalarNode {
			return r.failed(key, "a variable has to be a text")
		}
		put(key.Value, value.Value)
		return nil
	})
}

// snake returns the key that Fluent Bit makes of one of YAML: camelCase becomes
// snake_case, unless the key has a _ or begins with a capital.
func snake(key string) string {
	if strings.Contains(key, "_") || key == "" || !unicode.IsLower(rune(key[0])) {
		return strings.ToLower(key) // it is looked up in any case
	}
	var b strings.Builder
	for _, c := range key {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// within says of the error of a file that can't be opened where it is included.
func within(err error, path string, line int) error {
	var file *os.PathError
	if errors.As(err, &file) {
		return failed(path, line, "the included file %s can't be read: %v", file.Path, file.Err)
	}
	return err
}

package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"fluent-bit-mimecast/mimecast"
)

// credentialKeys are the options that make up the credentials, each with the
// field that it fills.
var credentialKeys = []struct {
	key   string
	field func(*mimecast.Keys) *string
}{
	{"app_id", func(c *mimecast.Keys) *string { return &c.AppID }},
	{"app_key", func(c *mimecast.Keys) *string { return &c.AppKey }},
	{"access_key", func(c *mimecast.Keys) *string { return &c.AccessKey }},
	{"secret_key", func(c *mimecast.Keys) *string { return &c.SecretKey }},
}

// credentials checks the four credentials and returns what signs with
// them. Values that come from files
// are read anew each time it is asked.
func (p *parser) credentials() (mimecast.Auth, string) {
	values := make(map[string]string, 2*len(credentialKeys))
	for _, k := range credentialKeys {
		values[k.key] = p.value(k.key)
		values[k.key+"_file"] = p.value(k.key + "_file")
	}
	source := func() (mimecast.Keys, error) { return readCredentials(values) }
	creds, err := source()
	if err != nil {
		var list *Error
		if errors.As(err, &list) {
			p.problems = append(p.problems, list.Problems...)
		}
		return nil, ""
	}
	return mimecast.NewHMAC(source), creds.AppID
}

// readCredentials never puts a value into its error.
func readCredentials(values map[string]string) (mimecast.Keys, error) {
	var (
		c    mimecast.Keys
		list parser
	)
	for _, k := range credentialKeys {
		v, err := readCredential(k.key, values[k.key], values[k.key+"_file"])
		if err != nil {
			list.problems = append(list.problems, err.Error())
			continue
		}
		*k.field(&c) = v
	}
	if list.problems != nil {
		return mimecast.Keys{}, &Error{list.problems}
	}
	return c, nil
}

func readCredential(key, value, path string) (string, error) {
	name := key
	switch {
	case value != "" && path != "":
		return "", fmt.Errorf("%s: set together with %s_file; set only one of them", key, key)
	case value == "" && path == "":
		return "", fmt.Errorf("%s: missing; set %s or %s_file", key, key, key)
	case path != "":
		name = key + "_file"
		b, err := readFile(path)
		if err != nil {
			return "", fmt.Errorf("%s: can't read it: %w", name, err)
		}
		if value = string(bytes.TrimSpace(b)); value == "" {
			return "", fmt.Errorf("%s: %s is empty", name, quote(path))
		}
	}
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", fmt.Errorf("%s: holds white space or control characters (value not shown)", name)
	}
	if _, err := base64.StdEncoding.DecodeString(value); err != nil && key == "secret_key" {
		return "", fmt.Errorf("%s: not in base64, as Mimecast shows it (value not shown)", name)
	}
	return value, nil
}

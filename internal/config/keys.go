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

// keyOptions are the options that the keys of API 1.0 come from.
type keyOptions struct {
	appID, appKey, accessKey, secretKey keyOption
}

// keyOption is a key that is written in the block or in a file.
type keyOption struct {
	key, value    string // of the option that holds it
	fileKey, path string // of the option that names a file
}

func (o *keyOption) here(_ *parser, key, value string) { o.key, o.value = key, value }

func (o *keyOption) file(_ *parser, key, value string) { o.fileKey, o.path = key, value }

// name returns the key of the option that is set.
func (o keyOption) name() string {
	if o.path != "" {
		return o.fileKey
	}
	return o.key
}

// check reads the keys and returns what signs with them, and the application id.
// Keys that come from files are read anew after a refusal.
func (o keyOptions) check(p *parser) (mimecast.Auth, string) {
	keys, err := o.read()
	var list *Error
	if errors.As(err, &list) {
		p.problems = append(p.problems, list.Problems...)
		return nil, ""
	}
	return mimecast.NewHMAC(o.read), keys.AppID
}

// read returns the keys, or an *Error. It never puts a value into its error.
func (o keyOptions) read() (mimecast.Keys, error) {
	var (
		k        mimecast.Keys
		problems []string
	)
	for _, each := range []struct {
		from keyOption
		to   *string
	}{{o.appID, &k.AppID}, {o.appKey, &k.AppKey}, {o.accessKey, &k.AccessKey}, {o.secretKey, &k.SecretKey}} {
		v, err := each.from.read()
		if err != nil {
			problems = append(problems, err.Error())
		}
		*each.to = v
	}
	if _, err := base64.StdEncoding.DecodeString(k.SecretKey); err != nil {
		problems = append(problems, o.secretKey.name()+": not in base64, as Mimecast shows it (value not shown)")
	}
	if problems != nil {
		return mimecast.Keys{}, &Error{problems}
	}
	return k, nil
}

func (o keyOption) read() (string, error) {
	value := o.value
	switch {
	case value != "" && o.path != "":
		return "", fmt.Errorf("%s: set together with %s; set only one of them", o.key, o.fileKey)
	case value == "" && o.path == "":
		return "", fmt.Errorf("%s: missing; set %s or %s", o.key, o.key, o.fileKey)
	case o.path != "":
		b, err := readFile(o.path)
		if err != nil {
			return "", fmt.Errorf("%s: can't read it: %w", o.fileKey, err)
		}
		if value = string(bytes.TrimSpace(b)); value == "" {
			return "", fmt.Errorf("%s: %s is empty", o.fileKey, quote(o.path))
		}
	}
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", fmt.Errorf("%s: holds white space or control characters (value not shown)", o.name())
	}
	return value, nil
}

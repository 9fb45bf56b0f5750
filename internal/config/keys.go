package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"fluent-bit-mimecast/mimecast"
)

// keyOptions are the options that the credentials come from.
type keyOptions struct {
	appID, appKey, accessKey, secretKey keyOption // of API 1.0
	clientID, clientSecret              keyOption // of API 2.0
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

func (o keyOption) isSet() bool { return o.value != "" || o.path != "" }

// api returns the API that the credentials are for, 0 if they do not tell.
func (o keyOptions) api(p *parser) int {
	const pairs = "client_id and client_secret (API 2.0), or app_id, app_key, access_key and secret_key (API 1.0)"
	api1 := []keyOption{o.appID, o.appKey, o.accessKey, o.secretKey}
	api2 := []keyOption{o.clientID, o.clientSecret}
	first1, first2 := slices.IndexFunc(api1, keyOption.isSet), slices.IndexFunc(api2, keyOption.isSet)
	switch {
	case first1 >= 0 && first2 >= 0:
		p.problem(api2[first2].name(), "set together with %s; set either %s", api1[first1].name(), pairs)
		return 0
	case first2 >= 0:
		return 2
	case first1 >= 0:
		return 1
	}
	p.problem("client_id", "missing; set %s", pairs)
	return 0
}

// check reads the credentials and returns what authorizes with them, and the id
// of the application. Those that come from files are read anew after a refusal.
func (o keyOptions) check(p *parser, api int) (auth mimecast.Auth, id string) {
	var err error
	switch api {
	case 1:
		var keys mimecast.Keys
		keys, err = o.keys()
		auth, id = mimecast.NewHMAC(o.keys), keys.AppID
	case 2:
		var credentials mimecast.Credentials
		credentials, err = o.credentials()
		auth, id = mimecast.NewOAuth2(o.credentials), credentials.ClientID
	}
	var list *Error
	if errors.As(err, &list) {
		p.problems = append(p.problems, list.Problems...)
	}
	return auth, id
}

// keys returns the keys of API 1.0, or an *Error. It never puts a value into its
// error.
func (o keyOptions) keys() (mimecast.Keys, error) {
	values, problems := readAll(o.appID, o.appKey, o.accessKey, o.secretKey)
	k := mimecast.Keys{AppID: values[0], AppKey: values[1], AccessKey: values[2], SecretKey: values[3]}
	if _, err := base64.StdEncoding.DecodeString(k.SecretKey); err != nil {
		problems = append(problems, o.secretKey.name()+": not in base64, as Mimecast shows it (value not shown)")
	}
	if problems != nil {
		return mimecast.Keys{}, &Error{problems}
	}
	return k, nil
}

// credentials returns those of API 2.0, or an *Error. It never puts a value into
// its error.
func (o keyOptions) credentials() (mimecast.Credentials, error) {
	values, problems := readAll(o.clientID, o.clientSecret)
	if problems != nil {
		return mimecast.Credentials{}, &Error{problems}
	}
	return mimecast.Credentials{ClientID: values[0], ClientSecret: values[1]}, nil
}

// readAll returns the value of each option, empty where there is a problem.
func readAll(options ...keyOption) (values, problems []string) {
	for _, o := range options {
		v, err := o.read()
		if err != nil {
			problems = append(problems, err.Error())
		}
		values = append(values, v)
	}
	return values, problems
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

package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/hint"
	"fluent-bit-mimecast/internal/version"
	"fluent-bit-mimecast/mimecast"
)

// clockTolerance is how far this machine's clock may be off: as for the plugin.
const clockTolerance = 3 * time.Minute

// NetworkOptions are for Network.
type NetworkOptions struct {
	// AllTypes asks for each type of the SIEM logs of API 2.0, not for the first alone.
	AllTypes bool
	// Say is called with what a user should know before it is done; nil: nothing is.
	Say func(text string)
}

// Network asks the services of blocks as little as tells whether they answer. It
// delivers nothing and writes nothing, so it does not disturb a collector.
func (r *Report) Network(ctx context.Context, blocks []Block, o NetworkOptions) {
	for _, b := range blocks {
		if !b.Usable {
			r.add(Skipped, b.Name, "", "the service is not asked: its options can't be used", "")
			continue
		}
		n := network{Report: r, block: b, options: o}
		n.run(ctx)
	}
}

// Offline notes that Network was not called.
func (r *Report) Offline(blocks []Block) {
	for _, b := range blocks {
		r.add(Skipped, b.Name, "", "the service is not asked: offline", "")
	}
}

// network asks the service of one block.
type network struct {
	*Report
	block    Block
	options  NetworkOptions
	client   *mimecast.Client
	accepted bool // the credentials are known to be accepted
}

func (n *network) say(s Status, what, do string) { n.add(s, n.block.Name, "", what, do) }

// fails says that something failed, and what to do.
func (n *network) fails(what string, err error) {
	n.say(Failed, what+": "+err.Error(), hint.WhatToDo(err))
}

func (n *network) run(ctx context.Context) {
	cfg := n.block.Config
	client, err := mimecast.NewClient(mimecast.Options{
		BaseURL: cfg.BaseURL, Auth: cfg.Auth, Timeout: cfg.HTTPTimeout,
		ProxyURL: cfg.ProxyURL, CAPEM: cfg.CAPEM, Insecure: !cfg.TLSVerify, LinkAllow: cfg.LinkAllow,
		UserAgent: "fluent-bit-mimecast-check/" + version.String(),
	})
	if err != nil {
		n.say(Failed, err.Error(), "")
		return
	}
	defer client.Close()
	n.client = client
	switch {
	case !n.reach(ctx):
		n.say(Skipped, "credentials and permissions: the service can't be reached", "")
	case !n.credentials(ctx):
		n.say(Skipped, "permissions: the credentials are refused", "")
	default:
		n.logs(ctx)
	}
}

// reach finds out whether the service can be connected to.
func (n *network) reach(ctx context.Context) bool {
	proxy, err := n.client.Proxy()
	if err != nil {
		n.say(Failed, "the environment's proxy can't be used", "correct HTTPS_PROXY, or set proxy_url")
		return false
	}
	service, name := n.block.Config.BaseURL.Host, n.block.Config.BaseURL.Hostname()
	way := ""
	if proxy != nil {
		way, name = " through the proxy "+proxy.Host, proxy.Hostname()
	}
	if net.ParseIP(name) == nil {
		addresses, err := net.DefaultResolver.LookupHost(ctx, name)
		if err != nil {
			n.say(Failed, fmt.Sprintf("the name %s does not resolve: %v", name, err), "check region, base_url and proxy_url, and this machine's name servers")
			return false
		}
		n.say(OK, fmt.Sprintf("the name %s resolves to %d addresses", name, len(addresses)), "")
	}
	state, err := n.client.Connect(ctx)
	if err != nil {
		n.fails("no connection to "+service+way, err)
		return false
	}
	n.say(OK, service+" can be reached"+way, "")
	n.certificate(state)
	n.clock()
	return true
}

// certificate says who signed the service's certificate.
func (n *network) certificate(state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		n.say(Warning, "the connection is not encrypted", "only for tests: set region, or base_url with https")
		return
	}
	leaf := state.PeerCertificates[0]
	what := fmt.Sprintf("%s, the certificate is signed by %s, until %s", tls.VersionName(state.Version), leaf.Issuer, leaf.NotAfter.UTC().Format(time.DateOnly))
	if !n.block.Config.TLSVerify {
		n.say(Warning, what+"; it is not verified", "set tls_verify: on")
		return
	}
	n.say(OK, what, "")
}

func (n *network) clock() {
	offset, known := n.client.ClockOffset()
	direction := "behind"
	if offset < 0 {
		direction = "ahead of"
	}
	switch {
	case !known:
		n.say(Skipped, "this machine's clock: the service told no time", "")
	case offset.Abs() < clockTolerance:
		n.say(OK, "this machine's clock agrees with the service's", "")
	default:
		n.say(Warning, fmt.Sprintf("this machine's clock is %s %s the service's", offset.Abs().Round(time.Second), direction), "set the clock")
	}
}

// credentials gets a token with API 2.0. With API 1.0 the first log tells.
func (n *network) credentials(ctx context.Context) bool {
	if n.block.Config.API == 1 {
		return true
	}
	if err := n.client.Authenticate(ctx); err != nil {
		n.refused(err)
		return false
	}
	n.accept()
	return true
}

func (n *network) accept() {
	if !n.accepted {
		n.accepted = true
		n.say(OK, "the credentials are accepted", "")
	}
}

// refused says that the credentials are refused, or could not be tried.
func (n *network) refused(err error) {
	var refusal *mimecast.APIError
	if !errors.As(err, &refusal) || !refusal.Transient {
		n.fails("credentials", err)
		return
	}
	lasting := *refusal
	lasting.Transient = false
	do := hint.WhatToDo(&lasting)
	if do != "" {
		do += "; the service also refuses good ones for a while, so try again after a minute"
	}
	n.say(Failed, "credentials: "+err.Error(), do)
}

// logs asks for each log of the block.
func (n *network) logs(ctx context.Context) {
	for _, name := range n.block.Config.Logs {
		ask := n.paged
		switch {
		case name == config.SIEM && n.block.Config.API == 1:
			ask = n.siem
		case name == config.SIEM || name == config.SIEMCI:
			ask = n.links
		}
		if !ask(ctx, name) {
			n.say(Skipped, "further logs: the credentials are refused", "")
			return
		}
	}
}

// tell says how a log was answered; false if the credentials are refused.
func (n *network) tell(what, name string, err error) bool {
	var refusal *mimecast.APIError
	isRefusal := errors.As(err, &refusal)
	switch {
	case err == nil:
		n.accept()
		n.say(OK, what+" may be read", "")
	case mimecast.IsRateLimited(err):
		n.say(Warning, what+": not known: the service's rate limit is used up", "try again in 15 minutes; look for other users of this application")
	case isRefusal && (refusal.Cause() == mimecast.CausePermission || refusal.Cause() == mimecast.CauseProduct):
		n.accept()
		status := Failed
		do := hint.WhatToDo(err)
		if slices.Contains(n.block.Config.Optional, name) {
			status, do = Warning, "nothing if the account does not have it; else: "+do
		}
		n.say(status, what+": "+err.Error(), do)
	case mimecast.IsAccessRefused(err), isRefusal && refusal.Transient:
		n.refused(err)
		return false
	default:
		n.fails(what, err)
	}
	return true
}

// paged asks for one event of the last minute, of each kind.
func (n *network) paged(ctx context.Context, name string) bool {
	cfg := n.block.Config
	all := mimecast.Logs()
	log := all[slices.IndexFunc(all, func(l mimecast.Log) bool { return l.Name == name })]
	kinds := []string{""}
	if log.FeedTypes != nil {
		kinds = cfg.FeedTypes(name)
	}
	for _, kind := range kinds {
		now := n.client.Now().Truncate(time.Second)
		r := mimecast.PageRequest{From: now.Add(-time.Minute), To: now, Filter: cfg.Filter(name), FeedType: kind, Size: 1, AccountCode: cfg.AccountCode}
		_, err := n.client.Page(ctx, log, r)
		var refusal *mimecast.APIError
		if errors.As(err, &refusal) && refusal.Status == http.StatusNotFound && log.Older.Path != "" {
			older := log
			older.Endpoint = log.Older
			_, err = n.client.Page(ctx, older, r)
		}
		if !n.tell(strings.TrimSpace("the log "+name+" "+kind), name, err) {
			return false
		}
	}
	return true
}

// siem asks API 1.0 for the earliest batch and gives it up unread, which uses nothing
// up: positions are the collector's own.
func (n *network) siem(ctx context.Context, name string) bool {
	cfg := n.block.Config
	batch, err := n.client.SIEMLogs(ctx, mimecast.SIEMRequest{Format: cfg.SIEMFormat, Compress: cfg.SIEMCompress})
	if batch != nil && batch.Body != nil {
		batch.Body.Close()
	}
	return n.tell("the log "+name, name, err)
}

// links asks API 2.0 for one link of today, of one type or of each.
func (n *network) links(ctx context.Context, name string) bool {
	endpoint, types := mimecast.SIEMEvents(), n.block.Config.SIEMTypes
	if name == config.SIEMCI {
		endpoint, types = mimecast.SIEMEventsCI(), mimecast.SIEMTypesCI()
	}
	if !n.options.AllTypes {
		types = types[:1]
	} else if n.options.Say != nil {
		n.options.Say(fmt.Sprintf("asking for %d types of %s: each is one of the 50 calls that the application has in 15 minutes", len(types), name))
	}
	var some []mimecast.SIEMLink
	for _, kind := range types {
		page, err := n.client.SIEMPage(ctx, mimecast.SIEMPageRequest{Endpoint: endpoint, Type: kind, From: n.client.Now(), PageSize: 1})
		if !n.tell("the log "+name+" "+kind, name, err) {
			return false
		}
		if mimecast.IsRateLimited(err) {
			return true // the next call would wait
		}
		some = append(some, page.Links...)
	}
	n.store(ctx, some)
	return true
}

// store finds out whether the store of the log files can be reached.
func (n *network) store(ctx context.Context, links []mimecast.SIEMLink) {
	if len(links) == 0 {
		n.say(Skipped, "the file store: there is no file of today to ask for", "")
		return
	}
	in, err := n.client.OpenLink(ctx, links[0])
	if err != nil {
		n.fails("the file store", err)
		return
	}
	in.Close() // unread
	n.say(OK, "the file store can be reached", "")
}

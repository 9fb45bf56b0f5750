package mimecast

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// AddressError is an address that a link must not lead to.
type AddressError struct {
	Addr netip.Addr
}

func (e *AddressError) Error() string { return fmt.Sprintf("the address %s is not public", e.Addr) }

// linkAddresses tells which addresses links may lead to: public ones, and
// those that are allowed besides.
type linkAddresses struct {
	loopback bool
	allow    []netip.Prefix
}

// control is the Control of a net.Dialer: it checks the address that a name was
// resolved to, just before the connection is made to it.
func (a linkAddresses) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return a.check(to.Addr())
}

// check returns an *AddressError if links must not lead to an address.
func (a linkAddresses) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case addr.IsLoopback():
		if a.loopback {
			return nil
		}
	case contains(neverLinked, addr):
	case contains(a.allow, addr) || !contains(notPublic, addr):
		return nil
	}
	return &AddressError{addr}
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// nat64 holds IPv4 addresses in their last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// neverLinked is where machines find their own services: the metadata of clouds,
// with the credentials of the machine, and what listens on all addresses.
var neverLinked = prefixes(
	"0.0.0.0/8", "::/128",
	"169.254.0.0/16", "fe80::/10", // link-local; metadata of most clouds
	"fd00:ec2::/32",      // AWS
	"fd20:ce::254/128",   // Google
	"100.100.100.200/32", // Alibaba
	"168.63.129.16/32",   // Azure
	"192.0.0.192/32",     // Oracle
	"224.0.0.0/4", "ff00::/8", "255.255.255.255/32",
)

// notPublic is what IANA's registries of special-purpose addresses do not call
// globally reachable, and transitions to IPv6 that hold another address.
//
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
var notPublic = prefixes(
	"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	// Of IPv6, 2000::/3 is global but for parts of it.
	"::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// isLoopbackHost reports whether the host of a URL is this machine.
func isLoopbackHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && addr.Unmap().IsLoopback())
}

// isPublicName reports whether a host is a name that may be known everywhere,
// rather than an address or the name of something near. A proxy resolves it, so
// that its address can't be checked.
func isPublicName(host string) bool {
	if net.ParseIP(host) != nil || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == '%' }) {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, top, ok := cutLast(host, ".")
	if !ok || top == "" || (top[0] >= '0' && top[0] <= '9') { // an address may be spelled 10.1 or 0x7f.1
		return false
	}
	return !slices.Contains(nearNames, top)
}

// nearNames end names that are known near alone (RFC 6762, appendix G, and usage).
var nearNames = []string{"local", "localhost", "internal", "intranet", "private", "corp", "home", "lan", "arpa", "svc"}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

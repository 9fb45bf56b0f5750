package mimecast

import (
	"maps"
	"slices"
)

// Regions returns the base URL of each region of API 1.0, by the name that
// Mimecast's documentation gives it. The caller owns the map.
//
// https://integrations.mimecast.com/documentation/api-overview/global-base-urls/
func Regions() map[string]string {
	return map[string]string{
		"eu":       "https://eu-api.mimecast.com",
		"de":       "https://de-api.mimecast.com",
		"us":       "https://us-api.mimecast.com",
		"usb":      "https://usb-api.mimecast.com",
		"ca":       "https://ca-api.mimecast.com",
		"za":       "https://za-api.mimecast.com",
		"au":       "https://au-api.mimecast.com",
		"offshore": "https://je-api.mimecast.com",
		"sandbox":  "https://sandbox-api.mimecast.com",
		"uspcom":   "https://uspcom-api.mimecast-pscom-us.com",
	}
}

// RegionNames returns the names of the regions, sorted.
func RegionNames() []string {
	return slices.Sorted(maps.Keys(Regions()))
}

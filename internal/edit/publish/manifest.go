package publish

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Entry is a distribution in a catalogue, the file that the registry value
// DistributionListUrl or DistributionListUrlAppend names (microsoft/WSL
// distributions/DistributionInfo.json).
type Entry struct {
	Flavor       string // the family it belongs to; Name starts with it
	Name         string // what wsl --install takes
	FriendlyName string
	Default      bool   // of its flavor; the first entry of a flavor is it anyway
	Arch         string // "amd64" or "arm64"
	URL          string // http, https or file, ending in .wsl
	SHA256       string // of the file, in hex
}

func (e *Entry) check() error {
	sum, err := hex.DecodeString(e.SHA256)
	switch {
	case CheckName(e.Name) != nil:
		return CheckName(e.Name)
	case !strings.HasPrefix(e.Name, e.Flavor) || e.Flavor == "":
		return fmt.Errorf("name %q does not start with its flavor %q", e.Name, e.Flavor)
	case e.FriendlyName == "":
		return fmt.Errorf("%s has no friendly name", e.Name)
	case e.Arch == "":
		return fmt.Errorf("the processor that %s is for is not known, as the image has no shell; a catalogue has amd64 and arm64", e.Name)
	case e.Arch != "amd64" && e.Arch != "arm64":
		return fmt.Errorf("%s is for %q, a catalogue has amd64 and arm64", e.Name, e.Arch)
	case err != nil || len(sum) != 32:
		return fmt.Errorf("%q is no SHA-256 digest in hex", e.SHA256)
	case !strings.HasSuffix(e.URL, ".wsl"):
		return ondisk.WithHint(fmt.Errorf("URL %q does not end in .wsl", e.URL), "name the file NAME.wsl where it is published")
	}
	return nil
}

type distribution struct {
	Name         string
	FriendlyName string
	Default      bool
	Amd64Url     *file `json:",omitempty"`
	Arm64Url     *file `json:",omitempty"`
}

type file struct{ Url, Sha256 string } //nolint:revive // the names are the format's

// UpdateManifest puts an entry into a catalogue, in place of one with its
// name, and returns the new file. An empty old makes a new catalogue. Other
// entries, their order and unknown keys at the top stay as they are; the other
// machine's file of the same entry stays too.
func UpdateManifest(old []byte, e Entry) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	top := object{}
	if len(bytes.TrimSpace(old)) > 0 {
		if err := json.Unmarshal(old, &top); err != nil {
			return nil, fmt.Errorf("catalogue: %w", err)
		}
	}
	flavors := object{}
	if raw := top.get("ModernDistributions"); raw != nil {
		if err := json.Unmarshal(raw, &flavors); err != nil {
			return nil, fmt.Errorf("catalogue: ModernDistributions: %w", err)
		}
	}
	var list []distribution
	if raw := flavors.get(e.Flavor); raw != nil {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields() // would be lost
		if err := dec.Decode(&list); err != nil {
			return nil, fmt.Errorf("catalogue: %s: %w", e.Flavor, err)
		}
	}
	list = e.into(list)
	if err := flavors.set(e.Flavor, list); err != nil {
		return nil, err
	}
	if err := top.set("ModernDistributions", flavors); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	err := enc.Encode(top)
	return out.Bytes(), err
}

// into replaces or appends the entry; exactly one of a flavor is the default.
func (e *Entry) into(list []distribution) []distribution {
	at := -1
	for i := range list {
		if list[i].Name == e.Name {
			at = i
		}
	}
	if at < 0 {
		at = len(list)
		list = append(list, distribution{Name: e.Name})
	}
	d := &list[at]
	d.FriendlyName = e.FriendlyName
	f := &file{e.URL, strings.ToLower(e.SHA256)}
	if e.Arch == "amd64" {
		d.Amd64Url = f
	} else {
		d.Arm64Url = f
	}
	def := -1
	for i := range list {
		if list[i].Default && def < 0 {
			def = i
		}
	}
	if e.Default {
		def = at
	}
	for i := range list {
		list[i].Default = i == max(def, 0)
	}
	return list
}

// object is a JSON object that keeps the order of its keys.
type object []member

type member struct {
	key   string
	value json.RawMessage
}

func (o object) get(key string) json.RawMessage {
	for _, m := range o {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

func (o *object) set(key string, value any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	b := buf.Bytes()
	for i := range *o {
		if (*o)[i].key == key {
			(*o)[i].value = b
			return nil
		}
	}
	*o = append(*o, member{key, b})
	return nil
}

func (o *object) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("is no JSON object")
	}
	*o = (*o)[:0]
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		var m member
		if err := dec.Decode(&m.value); err != nil {
			return err
		}
		m.key = key
		*o = append(*o, m)
	}
	return nil
}

func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), m.value...)
	}
	return append(b, '}'), nil
}

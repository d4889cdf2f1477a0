package postgres

import (
	"fmt"
	"hash/fnv"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// quoting is PostgreSQL's.
const quoting = sqltable.Escapes

// tableName is a table as the catalog names it.
type tableName struct{ schema, name string }

func (t tableName) String() string { return t.schema + "." + t.name }

// sql is the table in SQL.
func (t tableName) sql() string { return quoting.Name(t.schema, t.name) }

// parseTable reads a flow's word: flights, public.flights, or "odd.schema"."odd.name". Names are taken as they are
// written; without a schema it is public.
func parseTable(word string) (tableName, error) {
	var parts []string
	rest := word
	for {
		part, tail := rest, ""
		more := false
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && (rest[end] != '"' || strings.HasPrefix(rest[end:], `""`)) {
				if rest[end] == '"' {
					end++
				}
				end++
			}
			if end >= len(rest) {
				return tableName{}, fmt.Errorf("postgres: table %s: a quote is not closed", word)
			}
			part, tail = strings.ReplaceAll(rest[1:end], `""`, `"`), rest[end+1:]
			if tail != "" && tail[0] != '.' {
				return tableName{}, fmt.Errorf("postgres: table %s: a point is missing after a quoted name", word)
			}
			if more = tail != ""; more {
				tail = tail[1:]
			}
		} else {
			part, tail, more = strings.Cut(rest, ".")
		}
		if part == "" {
			return tableName{}, fmt.Errorf("postgres: %q is no table name (like flights or public.flights)", word)
		}
		parts = append(parts, part)
		if !more {
			break
		}
		rest = tail
	}
	switch len(parts) {
	case 1:
		return tableName{"public", parts[0]}, nil
	case 2:
		return tableName{parts[0], parts[1]}, nil
	}
	return tableName{}, fmt.Errorf("postgres: table %s: more than schema and name", word)
}

// slotName is tidemill_<flow> in the letters that a slot's name can have.
func slotName(flow string) string {
	b := []byte("tidemill_")
	for _, c := range []byte(strings.ToLower(flow)) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			c = '_'
		}
		b = append(b, c)
	}
	if len(b) > 63 {
		h := fnv.New32a()
		h.Write([]byte(flow))
		b = append(b[:54], '_')
		b = append(b, fmt.Sprintf("%08x", h.Sum32())...)
	}
	return string(b)
}

func checkSlotName(name string) error {
	if name == "" || len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("postgres: slot %q: a slot's name has 1 to 63 of the letters a-z, 0-9 and _", name)
	}
	return nil
}

// databaseName is "postgres://host:port/db/", the same for the same database however its host is written.
func databaseName(cfg *pgconn.Config) string {
	host := strings.ToLower(cfg.Host)
	if strings.HasPrefix(host, "/") || host == "" {
		host = "localhost"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = "localhost"
	}
	return "postgres://" + net.JoinHostPort(host, strconv.Itoa(int(cfg.Port))) + "/" + cfg.Database + "/"
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern init` says: everything that an administrator still has to do by hand, with the
 * words of this very service in it. */
#include <stdio.h>

#include "init.h"

static void print_row(const char *name, const char *text)
{
    if (text[0] != '\0')
        printf("  %-14s %s\n", name, text);
}

void init_print_found(const struct init *in)
{
    const postern_survey *s = &in->survey;

    printf("Issuer %s\n", in->issuer);
    if (in->is_known_issuer) {
        printf("  %-14s issuers/%s.conf, which stays as it is\n", "trusted by", in->issuer_name);
        return;
    }
    print_row("provider", in->provider);
    if (in->is_embedded) {
        print_row("this is", "posternd's own (issuer.conf); its keys come from a file");
        print_row("keys", in->jwks_file);
        return;
    }
    print_row("metadata", s->metadata_url);
    print_row("keys", s->jwks_uri);
    printf("  %-14s %zu usable%s%s\n", "", s->key_count, s->algorithms[0] == '\0' ? "" : ": ",
           s->algorithms);
    print_row("introspection", s->introspection[0] == '\0' ? "none" : s->introspection);
}

/* ---- the host ---- */

static void print_indented(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        printf("    %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void print_lines(const struct host_lines *l, const struct host_words *words)
{
    POSTERN_AUTO_BUF file = POSTERN_BUF_INIT(HOST_TEXT_MAX);
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(HOST_TEXT_MAX);
    const char *where, *what;

    host_render(l->file, words, &file);
    host_render(l->text, words, &text);
    if ((where = postern_buf_cstr(&file)) == NULL || (what = postern_buf_cstr(&text)) == NULL)
        return; /* no memory: the manual has them too */
    if (strcmp(where, "note") == 0) {
        printf("\n  %s", what);
        return;
    }
    printf("\n  %s%s\n", where, where[0] == '$' ? "" : ":");
    print_indented(what);
}

static void print_host(const struct init *in)
{
    const struct host_words words = { in->host_name, in->service, in->issuer,
                                      in->scopes[0] == '\0' ? "db.connect" : in->scopes };
    const struct host_lines *l;

    printf("\nThe host's own lines (%s); where a list is set already, add to it:\n",
           in->row->title);
    for (size_t i = 0; (l = host_lines_at(in->row, i)) != NULL; i++)
        print_lines(l, &words);
}

/* ---- the authorization server ---- */

static void print_scope_hint(const struct init *in)
{
    if (strchr(in->scopes, ' ') != NULL)
        printf("     One for each of %s, with \"Include in token scope\" on.\n", in->scopes);
    else if (in->scopes[0] != '\0')
        printf("     Name it %s, with \"Include in token scope\" on.\n", in->scopes);
    else
        puts("     Give it the name of the service.");
}

static void print_keycloak(const struct init *in)
{
    puts("\nIn Keycloak (realm, admin console):\n"
         "  1. Client scopes > Create client scope, type Optional, protocol OpenID Connect.");
    print_scope_hint(in);
    printf("  2. In it: Mappers > Configure a new mapper > Audience.\n"
           "     Included Custom Audience: %s\n"
           "     Add to access token: on.\n",
           in->audience);
    puts("  3. Clients > each agent's client > Client scopes > Add client scope: this one.\n"
         "  4. That client: Client authentication on; Service accounts roles for an agent that "
         "acts\n"
         "     for itself, Standard flow for a person's agent.  Leave \"Use refresh tokens for "
         "client\n"
         "     credentials grant\" off.");
}

static void print_entra(const struct init *in)
{
    printf("\nIn Entra (App registrations):\n"
           "  1. One registration for the service.  Its manifest: \"requestedAccessTokenVersion\": "
           "2.\n"
           "     Tokens name it by its Application (client) ID, a bare GUID: that is the audience\n"
           "     (now: %s; --audience GUID --force writes another).\n",
           in->audience);
    puts("  2. Expose an API: scopes for people's agents; App roles for agents of their own.\n"
         "  3. Token configuration: the optional claim idtyp in the access token.\n"
         "  4. One registration for each agent, with a permission for the first one.\n"
         "  Users are object ids (oid): username_map_file: in the issuer's file says who that is "
         "here.");
}

static void print_okta(const struct init *in)
{
    printf("\nIn Okta (Security > API > Authorization Servers):\n"
           "  1. A custom authorization server whose audience is %s.\n",
           in->audience);
    puts("  2. Scopes as required_scopes: names them, and an access policy that says which "
         "application\n"
         "     may have which.");
    if (strstr(in->issuer, "/oauth2/") == NULL)
        puts("  Note: this issuer is the org authorization server, whose access tokens are for "
             "Okta alone;\n"
             "  a custom one is called https://.../oauth2/NAME.");
}

static void print_embedded(const struct init *in)
{
    printf("\nAt posternd's own issuer:\n  $ postern client add agent-7 --resource %s",
           in->audience);
    for (const char *at = in->scopes; *at != '\0';) {
        size_t len = strcspn(at, " ");

        printf(" --scope %.*s", (int)len, at);
        at += len + (at[len] == ' ');
    }
    puts(" --secret-file agent-7.secret");
}

static void print_other(const struct init *in)
{
    printf("\nAt the authorization server:\n"
           "  Access tokens for this service must have %s in aud%s%s.\n",
           in->audience, in->scopes[0] == '\0' ? "" : ", and the scope ", in->scopes);
}

static const struct {
    const char *provider;
    void (*print)(const struct init *in);
} providers[] = {
    { "keycloak", print_keycloak },
    { "entra", print_entra },
    { "okta", print_okta },
};

static void print_provider(const struct init *in)
{
    if (in->is_embedded) {
        print_embedded(in);
        return;
    }
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (strcmp(providers[i].provider, in->provider) == 0) {
            providers[i].print(in);
            return;
        }
    print_other(in);
}

void init_print_steps(const struct init *in)
{
    print_host(in);
    print_provider(in);
    if (!in->has_user)
        printf("\nNote: none of %s is known on this machine; --peer USER names whom the host runs "
               "as.\n",
               in->peers);
    if (strcmp(in->config_dir, POSTERN_SYSCONFDIR) == 0)
        printf("\nNext: reload posternd and the host, then\n  $ postern doctor %s\n", in->service);
    else
        printf("\nNext: reload posternd and the host, then\n  $ postern doctor %s --config %s\n",
               in->service, in->config_dir);
}

// Everyone with an account: searched and filtered by the server, changed only by it.
import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { Link, useLocation } from "react-router";
import { useSession } from "@/api/session";
import type { Account } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoney } from "@/lib/format";
import { useDebounced } from "@/lib/use-debounced";
import { announce } from "@/ui/announcer";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { NativeSelect } from "@/ui/input";
import { PageHeading } from "@/ui/page";
import { RelativeTime } from "@/ui/relative-time";
import { SearchInput } from "@/ui/search-input";
import { Empty } from "@/ui/states";
import { type Column, DataTable } from "@/ui/table";
import { PAGE, useFilters } from "./filters";
import { ListPanel } from "./list-panel";
import { SecretDialog } from "./secret-dialog";
import { UserMenu } from "./user-menu";
import { accountsQuery, ROLES } from "./users-api";

// Forms and their rules come when one is opened.
const AddUserDialog = lazy(() => import("./user-dialog").then((dialogs) => ({ default: dialogs.AddUserDialog })));
const EditUserDialog = lazy(() => import("./user-dialog").then((dialogs) => ({ default: dialogs.EditUserDialog })));

export function Users() {
  const t = useT();
  const own = useSession((state) => state.user?.id);
  const filters = useFilters(["q", "role", "active"], "user");
  const location = useLocation();
  const [typed, setTyped] = useState(filters.get("q"));
  const search = useDebounced(typed.trim(), 200);
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<{ name: string; password: string } | null>(null);
  const list = useQuery(
    accountsQuery({
      search,
      role: filters.get("role"),
      isActive: filters.get("active"),
      limit: PAGE,
      offset: filters.offset,
    }),
  );
  const total = list.data?.total ?? 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new search changes the address.
  useEffect(() => {
    if (search !== filters.get("q")) filters.set({ q: search });
  }, [search]);
  useEffect(() => {
    if (search !== "" && list.isSuccess && !list.isPlaceholderData) announce(t("users.count", { count: total }));
  }, [search, total, list.isSuccess, list.isPlaceholderData, t]);

  const addressOf = (account: Account) => {
    const params = new URLSearchParams(location.search);
    params.set("user", account.id);
    return { search: params.toString() };
  };
  const columns: readonly Column<Account>[] = [
    {
      key: "name",
      header: t("users.name"),
      cell: (account) => (
        <>
          <Link to={addressOf(account)} replace className="hover:underline">
            <bdi>{account.name}</bdi>
          </Link>
          {account.id === own && (
            <span className="ms-2 text-sm font-normal text-muted-foreground">{t("users.you")}</span>
          )}
        </>
      ),
    },
    {
      key: "email",
      header: t("users.email"),
      className: "sm:min-w-44 [&_span]:[overflow-wrap:anywhere]",
      cell: (account) => <span className="isolate-ltr">{account.email}</span>,
    },
    {
      key: "role",
      header: t("users.role"),
      className: "sm:whitespace-nowrap",
      cell: (account) => t(`role.${account.role}`),
    },
    {
      key: "last",
      header: t("users.lastSignIn"),
      className: "sm:whitespace-nowrap",
      cell: (account) =>
        account.last_login_at ? (
          <RelativeTime iso={account.last_login_at} />
        ) : (
          <span className="text-muted-foreground">{t("admin.never")}</span>
        ),
    },
    {
      key: "month",
      header: t("users.month"),
      numeric: true,
      cell: (account) => formatMoney(account.usage_month.cost_usd),
    },
    {
      key: "state",
      header: t("users.state"),
      className: "sm:whitespace-nowrap",
      cell: (account) => (
        <>
          <Badge tone={account.is_active ? "success" : "neutral"}>
            {account.is_active ? t("users.active") : t("users.inactive")}
          </Badge>
          {account.must_change_password && (
            <span className="block text-sm whitespace-normal text-muted-foreground">{t("users.mustChange")}</span>
          )}
        </>
      ),
    },
  ];
  const clear = () => {
    setTyped("");
    filters.clear();
  };

  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <PageHeading className="me-auto">{t("users.title")}</PageHeading>
        <Button variant="primary" onClick={() => setAdding(true)}>
          <Plus aria-hidden />
          {t("users.add")}
        </Button>
      </div>
      <search className="mt-5 mb-4 grid grid-cols-2 gap-3 sm:flex">
        <SearchInput
          className="max-sm:col-span-2 sm:w-80"
          label={t("users.search")}
          maxLength={100}
          value={typed}
          onChange={setTyped}
        />
        <NativeSelect
          aria-label={t("users.role")}
          value={filters.get("role")}
          onChange={(event) => filters.set({ role: event.target.value })}
        >
          <option value="">{t("users.anyRole")}</option>
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {t(`role.${role}`)}
            </option>
          ))}
        </NativeSelect>
        <NativeSelect
          aria-label={t("users.state")}
          value={filters.get("active")}
          onChange={(event) => filters.set({ active: event.target.value })}
        >
          <option value="">{t("users.anyState")}</option>
          <option value="true">{t("users.active")}</option>
          <option value="false">{t("users.inactive")}</option>
        </NativeSelect>
      </search>
      <ListPanel
        query={list}
        rows={(data) => data.users.length}
        filters={filters}
        things={t("users.things")}
        loading={t("users.loading")}
        empty={
          <Empty title={t("users.noHit.title")} body={t("admin.noHit.body")}>
            <Button onClick={clear}>{t("admin.clearFilters")}</Button>
          </Empty>
        }
      >
        {(data) => (
          <DataTable
            label={t("users.title")}
            columns={columns}
            rows={data.users}
            rowKey={(account) => account.id}
            stale={list.isPlaceholderData}
            actions={{
              label: t("admin.actions"),
              render: (account) => (
                <UserMenu
                  account={account}
                  onEdit={() => filters.set({ user: account.id })}
                  onTemporaryPassword={({ name }, password) => setSecret({ name, password })}
                />
              ),
            }}
          />
        )}
      </ListPanel>
      <Suspense>
        {adding && (
          <AddUserDialog
            onClose={() => setAdding(false)}
            onAdded={({ name }, password) => {
              setAdding(false);
              if (password !== null) setSecret({ name, password });
            }}
          />
        )}
        {filters.get("user") !== "" && (
          <EditUserDialog
            key={filters.get("user")}
            id={filters.get("user")}
            onClose={() => filters.set({ user: "" })}
          />
        )}
      </Suspense>
      {secret && (
        <SecretDialog
          title={t("users.temporaryTitle", { name: secret.name })}
          body={t("users.temporaryBody")}
          label={t("users.temporaryLabel")}
          secret={secret.password}
          onClose={() => setSecret(null)}
        />
      )}
    </>
  );
}

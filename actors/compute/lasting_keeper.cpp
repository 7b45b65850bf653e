#include "actors/compute/lasting_keeper.hpp"

#include <algorithm>

namespace strata::actors::compute {

using strata::host::lasting_file;
using strata::host::lasting_files;
using strata::host::settings_choice;

namespace {

/// Those of `now` that are not in `stored` as they are.
std::vector<lasting_file> changed_files(std::vector<lasting_file> now, const std::vector<lasting_file>& stored) {
  std::erase_if(now, [&](const lasting_file& each) {
    const auto known = std::ranges::find(stored, each.name, &lasting_file::name);
    return known != stored.end() && known->content == each.content;
  });
  return now;
}

void remember(std::vector<lasting_file>& in, const std::vector<lasting_file>& files) {
  for (const lasting_file& each : files) {
    std::erase_if(in, [&](const lasting_file& known) { return known.name == each.name; });
    in.push_back(each);
  }
}

std::vector<lasting_file> settings_of(std::vector<lasting_file> files) {
  std::erase_if(files, [](const lasting_file& each) { return !strata::host::is_settings_file(each.name); });
  return files;
}

struct stored_files {
  std::vector<lasting_file> changed;
  std::vector<std::string> not_kept;  ///< and was not told yet
};

std::string names_of(const std::vector<lasting_file>& files) {
  std::string text;
  for (const lasting_file& each : files) text += (text.empty() ? "" : ", ") + each.name;
  return text;
}

}  // namespace

void lasting_keeper::fetch(std::optional<core::lsn> at, std::uint64_t term) {
  at_ = at;
  term_ = term;
  writes_ = true;
  if (fetching_) return;
  fetching_ = true;
  answer_.reset();
  jobs_.run(
      "get the settings of the branch", [branch = context_.branch, at, term] { return branch->lasting(at, term); },
      [this, term](core::result<lasting_files> answer) {
        fetching_ = false;
        // Of an election that was lost meanwhile.
        if (term != term_) return fetch(at_, term_);
        fetched(std::move(answer));
      });
}

void lasting_keeper::fetched(core::result<lasting_files> answer) {
  if (answer) {
    files_ = *std::move(answer);
    answer_ = core::result<void>();
    if (settings_of(files_.newest) != refused_) choice_ = settings_choice::newest;
    start_ = std::make_shared<const strata::host::lasting_start>(choose_lasting(files_, choice_, context_.host));
  } else {
    answer_ = core::result<void>(std::move(answer).error().within("get the settings of the branch"));
  }
  if (auto then = std::exchange(waiting_, nullptr)) then(*std::exchange(answer_, std::nullopt));
}

void lasting_keeper::when_fetched(std::function<void(const core::result<void>&)> then) {
  if (answer_) return then(*std::exchange(answer_, std::nullopt));
  waiting_ = std::move(then);
  fetch(at_, term_);
}

lasting_keeper::writer lasting_keeper::write_files() {
  state_ = std::make_shared<directory_state>();
  return [start = start_, state = state_, settings = context_.host.settings,
          path = files()](strata::host::postgres_options& server) -> core::result<void> {
    server.user_text = start->text;
    server.forced.insert(server.forced.end(), start->forced.begin(), start->forced.end());
    server.conf_lines.insert(server.conf_lines.end(), start->conf_lines.begin(), start->conf_lines.end());
    STRATA_TRY(strata::host::write_settings(server, settings));
    STRATA_TRY(strata::host::write_data_files(server, start->data_files));
    STRATA_ASSIGN(state->ours, strata::host::our_lines(path, *start));
    STRATA_ASSIGN(state->stored, strata::host::read_settings_files(path, state->ours));
    remember(state->stored, start->data_files);
    state->watch.emplace(path).has_changed();
    return {};
  };
}

bool lasting_keeper::fall_back(const core::error& why) {
  if (!start_) return false;
  const auto next = strata::host::choice_after(files_, choice_);
  if (!next) return false;
  refused_ = settings_of(files_.newest);
  if (choice_ == settings_choice::newest) refusal_ = strata::host::reason_in(why.detail);
  choice_ = *next;
  return true;
}

void lasting_keeper::started(core::lsn at) {
  running_ = true;
  // Between the writing and here a session may have changed something.
  dirty_ = true;
  watch_ = state_->watch;
  if (!context_.host.writes || start_->unproven.empty()) return;
  auto proven = start_->unproven;
  for (lasting_file& each : proven) each.proven = true;
  jobs_.run(
      "store that the settings are good",
      [branch = context_.branch, proven = std::move(proven), at, term = term_] {
        return branch->keep(proven, at, term);
      },
      [this](const core::result<void>& kept) {
        if (!kept) context_.note("store that the settings are good", kept.error());
      });
}

void lasting_keeper::look(core::lsn at, core::monotonic_time now) {
  if (!running_ || !writes_ || !context_.host.writes) return;
  if (watch_->has_changed()) {
    dirty_ = true;
    corrected_ = choice_ != settings_choice::newest;
  }
  if (!dirty_ || storing_ || now < next_attempt_) return;
  dirty_ = false;
  // A user has taken back what was refused: the newest settings are those in use then, although none of them differs
  // from what this incarnation began with.
  if (std::exchange(corrected_, false))
    std::erase_if(state_->stored, [](const lasting_file& each) { return strata::host::is_settings_file(each.name); });
  store(at, false, [this, now](const core::result<void>& stored) {
    if (stored) return;
    context_.note("store the settings of the branch", stored.error());
    // Another writer has it.
    if (stored.error().code == core::errc::conflict) return superseded();
    dirty_ = true;
    next_attempt_ = now + retry_pause;
  });
}

void lasting_keeper::store(core::lsn at, bool with_data, std::function<void(const core::result<void>&)> then) {
  storing_ = true;
  jobs_.run(
      "store the settings of the branch",
      [branch = context_.branch, state = state_, path = files(), at, term = term_,
       with_data]() -> core::result<stored_files> {
        stored_files made{.changed = {}, .not_kept = strata::host::files_not_kept(path, state->ours)};
        if (made.not_kept == state->not_kept)
          made.not_kept.clear();
        else
          state->not_kept = made.not_kept;
        STRATA_ASSIGN(auto now, strata::host::read_settings_files(path, state->ours));
        auto data = strata::host::read_data_files(path);
        // While Postgres runs its statistics are in memory: what lies there is what it was given.
        if (!with_data) std::erase_if(data, [](const lasting_file& each) { return each.name.starts_with("pg_stat/"); });
        made.changed = changed_files(std::move(now), state->stored);
        if (!made.changed.empty()) STRATA_TRY(branch->keep(made.changed, at, term));
        remember(state->stored, made.changed);
        // One after the other: each may fill a request.
        for (const lasting_file& each : changed_files(std::move(data), state->stored)) {
          STRATA_TRY(branch->keep({each}, at, term));
          remember(state->stored, {each});
          made.changed.push_back(each);
        }
        return made;
      },
      [this, then = std::move(then)](const core::result<stored_files>& stored) {
        storing_ = false;
        if (stored && !stored->changed.empty())
          context_.log("stored for the next incarnation: " + names_of(stored->changed));
        if (stored)
          for (const auto& each : stored->not_kept)
            context_.log(each + " is not kept for the next incarnation: it is too large, or no plain file");
        then(stored ? core::result<void>() : stored.error());
        if (auto next = std::exchange(when_stored_, nullptr)) next();
      });
}

void lasting_keeper::server_ended(core::lsn at, std::function<void()> then) {
  {
    const std::lock_guard guard(slots_->mutex);
    slots_->names.clear();
  }
  if (!std::exchange(running_, false) || !writes_ || !context_.host.writes) return then();
  watch_.reset();
  const auto last = [this, at, then = std::move(then)] {
    store(at, true, [this, then](const core::result<void>& stored) {
      if (!stored) context_.note("store the settings and statistics of the branch", stored.error());
      then();
    });
  };
  if (storing_)
    when_stored_ = last;
  else
    last();
}

std::function<void()> lasting_keeper::before_removal() const {
  return [slots = slots_, path = context_.host.data_directory] {
    auto found = strata::host::logical_slots_in(strata::host::files_of(path));
    if (found.empty()) return;
    const std::lock_guard guard(slots->mutex);
    slots->names = std::move(found);
  };
}

std::vector<std::string> lasting_keeper::notes() const {
  std::vector<std::string> made;
  if (choice_ != settings_choice::newest)
    made.push_back(
        std::string("Postgres did not start with the newest settings of the branch (") + refusal_ +
        (choice_ == settings_choice::proven ? "): the last good ones are used" : "): none of them are used") +
        "; correct them with ALTER SYSTEM");
  if (start_) made.insert(made.end(), start_->notes.begin(), start_->notes.end());
  const std::lock_guard guard(slots_->mutex);
  std::string names;
  for (const auto& each : slots_->names) names += (names.empty() ? "" : ", ") + each;
  if (!names.empty()) made.push_back("logical slots " + names + " ended with the Postgres before; create them again");
  return made;
}

}  // namespace strata::actors::compute

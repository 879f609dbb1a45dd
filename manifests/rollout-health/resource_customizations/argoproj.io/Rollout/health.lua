-- The health of a Rollout as Argo CD's own script tells it, and what a step plugin says while the canary waits for it:
-- that stands in status.canary.stepPluginStatuses, where nobody who looks at an Application sees it.
-- Overrides run without Lua's string library unless Argo CD is told otherwise, so none is used here.

local status, annotations = obj.status, obj.metadata.annotations

local function health(code, message)
  return { status = code, message = message }
end

-- Whether the controller has seen the newest spec, and the newest workload that the spec refers to.
local function observed()
  if status == nil then
    return false
  end
  local generation = tonumber(status.observedGeneration)
  -- Before 0.10 it was a hash: no number, or one larger than any generation.
  if generation ~= nil and generation < obj.metadata.generation then
    return false
  end
  if obj.spec.workloadRef == nil or annotations == nil then
    return true
  end
  return tonumber(annotations["rollout.argoproj.io/workload-generation"]) == tonumber(status.workloadObservedGeneration)
end

-- What the plugin of the current step says, while it is asked again and again. A step that was passed, by whomever,
-- keeps its last words in the list; those of a step that failed are in the Rollout's own message already.
local function waits_for()
  local canary = status.canary
  for _, step in ipairs(canary ~= nil and canary.stepPluginStatuses or {}) do
    local asked = step.phase == "Running" or step.phase == "Error"
    local current = step.index == status.currentStepIndex and step.operation == "Run"
    if asked and current and step.message ~= nil and step.message ~= "" then
      return step.name .. ": " .. step.message
    end
  end
  return nil
end

-- Since 1.0 the controller sums itself up.
local function told()
  local code, message = status.phase, status.message
  if code == "Paused" then
    code = "Suspended"
  end
  if code == "Healthy" then
    return health(code, message)
  end
  local reason = waits_for()
  if reason == nil then
    return health(code, message)
  end
  if message == nil or message == "" then
    return health(code, reason)
  end
  -- The reason first where the message only says that something goes on.
  if code == "Progressing" then
    return health(code, reason .. " (" .. message .. ")")
  end
  return health(code, message .. "; " .. reason)
end

-- Whether a condition says that nothing will go on by itself.
local function is_bad(condition)
  if condition.type == "Progressing" then
    return condition.reason == "RolloutAborted" or condition.reason == "ProgressDeadlineExceeded"
  end
  return condition.type == "InvalidSpec"
end

local function is_paused()
  local conditions = status.pauseConditions
  return (conditions ~= nil and #conditions > 0) or obj.spec.paused == true
end

local function stable_hash()
  if status.stableRS ~= nil then
    return status.stableRS
  end
  -- Before 0.8.
  if status.canary ~= nil then
    return status.canary.stableRS
  end
  return ""
end

-- What a blue-green Rollout waits for when all of its pods are there.
local function blue_green()
  local hash = status.currentPodHash
  if status.blueGreen == nil or status.blueGreen.activeSelector ~= hash then
    return "active service cutover pending"
  end
  -- Before 0.8 blue-green had no stable hash.
  local stable = stable_hash()
  if stable ~= "" and stable ~= hash then
    return "waiting for analysis to complete"
  end
  return nil
end

-- The same for a canary.
local function canary(replicas, updated)
  if replicas > updated then
    return "Waiting for roll out to finish: old replicas are pending termination"
  end
  local stable = stable_hash()
  if stable == "" or stable ~= status.currentPodHash then
    return "Waiting for rollout to finish steps"
  end
  return nil
end

-- What a Rollout waits for, of a controller that does not say so itself.
local function waits()
  if status.currentPodHash == nil then
    return "Waiting for rollout to finish: status has not been reconciled."
  end
  local updated = status.updatedReplicas or 0
  if updated < (obj.spec.replicas or 1) then
    return "Waiting for roll out to finish: More replicas need to be updated"
  end
  if (status.availableReplicas or 0) < updated then
    return "Waiting for roll out to finish: updated replicas are still becoming available"
  end
  if obj.spec.strategy.blueGreen ~= nil then
    return blue_green()
  end
  if obj.spec.strategy.canary ~= nil then
    return canary(status.replicas or 0, updated)
  end
  return nil
end

-- Before 1.0 all is in the conditions and the counts.
local function counted()
  for _, condition in ipairs(status.conditions or {}) do
    if is_bad(condition) then
      return health("Degraded", condition.message)
    end
  end
  if is_paused() then
    return health("Suspended", "Rollout is paused")
  end
  local reason = waits()
  if reason ~= nil then
    return health("Progressing", reason)
  end
  return health("Healthy", "")
end

if not observed() then
  return health("Progressing", "Waiting for rollout spec update to be observed")
end
if status.phase ~= nil then
  return told()
end
return counted()

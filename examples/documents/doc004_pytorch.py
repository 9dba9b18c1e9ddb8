"""Document 004: PyTorch, a Tuner, and ASHA."""

import ray
import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from trialwright import tune
from trialwright.tune.schedulers import ASHAScheduler

from budget import budget
from images import PIXELS, datasets


# 1. The model
class SimpleNet(nn.Module):
    def __init__(self, hidden_size):
        super(SimpleNet, self).__init__()
        self.fc1 = nn.Linear(PIXELS * PIXELS, hidden_size)
        self.fc2 = nn.Linear(hidden_size, 10)

    def forward(self, x):
        x = x.view(-1, PIXELS * PIXELS)
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


# 2. The function that is tuned: called once for each trial
def train_mnist(config):
    # Data
    train_dataset, test_dataset = datasets()
    train_loader = DataLoader(train_dataset, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_dataset, batch_size=64)

    # Model, optimizer, and loss
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = SimpleNet(config["hidden_size"]).to(device)
    optimizer = optim.Adam(model.parameters(), lr=config["lr"])
    criterion = nn.CrossEntropyLoss()

    # Training, two epochs
    for epoch in range(2):
        model.train()
        for data, target in train_loader:
            data, target = data.to(device), target.to(device)
            optimizer.zero_grad()
            output = model(data)
            loss = criterion(output, target)
            loss.backward()
            optimizer.step()

        # Validation
        model.eval()
        correct = 0
        total = 0
        with torch.no_grad():
            for data, target in test_loader:
                data, target = data.to(device), target.to(device)
                output = model(data)
                pred = output.argmax(dim=1, keepdim=True)
                correct += pred.eq(target.view_as(pred)).sum().item()
                total += target.size(0)

        accuracy = correct / total
        tune.report(accuracy=accuracy)


# 3. Ray and the run
ray.init(ignore_reinit_error=True)

search_space = {
    "lr": tune.loguniform(1e-5, 1e-1),
    "hidden_size": tune.choice([64, 128, 256])
}

scheduler = ASHAScheduler(metric="accuracy", mode="max")

tuner = tune.Tuner(
    train_mnist,
    param_space=search_space,
    tune_config=tune.TuneConfig(
        num_samples=budget(6, 4),
        scheduler=scheduler
    )
)

results = tuner.fit()

# 4. The best
best_result = results.get_best_result(metric="accuracy", mode="max")
print("Best configuration:", best_result.config)
print(f"Best accuracy: {best_result.metrics['accuracy']:.4f}")
